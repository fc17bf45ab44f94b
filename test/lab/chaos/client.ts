import { setTimeout as pause } from 'node:timers/promises';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Journal } from './journal.ts';
import { codeOf, isExpected, settledRecord } from './outcome.ts';
import type { Random } from './random.ts';

export interface ClientOptions {
  name: string;
  store: Store;
  commands: VolumeCommands;
  nodes: readonly string[];
  random: Random;
  journal: Journal;
}

type Known = 'detached' | 'attached';

const mostVolumes = 4;
const deadlineMs = 60_000;
/** Longer than any fault with its recovery. */
const stuckMs = 240_000;

/** A client that creates, attaches, detaches and deletes volumes continuously and checks that acknowledged changes persist. */
export class Client {
  private readonly options: ClientOptions;
  /** Acknowledged state by volume. */
  private readonly volumes = new Map<string, Known>();
  private attachments = 0;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  async work(isOver: () => boolean): Promise<void> {
    const { random } = this.options;
    while (!isOver()) {
      await this.step();
      await pause(random.between(100, 1500));
    }
  }

  /** Checks that every volume has its last acknowledged state. */
  async check(): Promise<void> {
    for (const id of this.volumes.keys()) await this.look(id);
  }

  private async step(): Promise<void> {
    const { random } = this.options;
    const ids = [...this.volumes.keys()];
    if (ids.length === 0 || (ids.length < mostVolumes && random.isOneIn(3))) return this.create();
    const id = random.pick(ids);
    if (!(await this.look(id))) return undefined;
    if (this.volumes.get(id) === 'attached') return this.detach(id);
    return random.isOneIn(2) ? this.attach(id) : this.delete(id);
  }

  private async create(): Promise<void> {
    const { commands, nodes, name, random } = this.options;
    const id = random.uuid();
    const place = random.isOneIn(2) ? { node: random.pick(nodes) } : {};
    const request = { id, size: 0, userId: name, projectId: 'chaos', name: `${name}-${id.slice(0, 4)}`, ...place };
    await this.carryOut('create', id, () => commands.create(request, { deadlineMs }), 'detached');
  }

  private async attach(id: string): Promise<void> {
    const { commands, random, name } = this.options;
    this.attachments += 1;
    const attachment = {
      instanceId: `${name}-${this.attachments}`,
      mountpoint: '/dev/vdb',
      mode: random.isOneIn(3) ? ('ro' as const) : ('rw' as const),
      ...(random.isOneIn(3) ? { hosts: ['52:54:00:aa:bb:cc'] } : {}),
    };
    await this.carryOut('attach', id, () => commands.attach(id, attachment, { deadlineMs }), 'attached');
  }

  private async detach(id: string): Promise<void> {
    await this.carryOut('detach', id, () => this.options.commands.detach(id, { deadlineMs }), 'detached');
  }

  private async delete(id: string): Promise<void> {
    await this.carryOut('delete', id, () => this.options.commands.delete(id, { deadlineMs }), undefined);
  }

  /** An acknowledged change must persist. After a failure either result is accepted, as the record says. */
  private async carryOut(
    operation: string,
    id: string,
    work: () => Promise<unknown>,
    acknowledged: Known | undefined,
  ): Promise<void> {
    const { journal } = this.options;
    const code = await journal.operation(operation, id, async () => {
      const failure = await codeOf(work());
      if (failure !== undefined) await this.adopt(id);
      return failure;
    });
    if (code !== undefined) {
      if (!isExpected(code)) journal.violation(`${operation} of volume ${id} failed: ${code}`);
    } else if (acknowledged === undefined) this.volumes.delete(id);
    else this.volumes.set(id, acknowledged);
    if (code === undefined) await this.look(id);
  }

  private async adopt(id: string): Promise<void> {
    const record = await this.settled(id);
    if (record === undefined) this.volumes.delete(id);
    else this.volumes.set(id, record.attachStatus === 'attached' ? 'attached' : 'detached');
  }

  /** Whether the record has the acknowledged state. */
  private async look(id: string): Promise<boolean> {
    const { journal } = this.options;
    const known = this.volumes.get(id);
    const record = await this.settled(id);
    const found = record && `${record.status}, ${record.attachStatus}`;
    const expected = { detached: 'available, detached', attached: 'in-use, attached' };
    if (found === (known && expected[known])) return true;
    const fault = record?.fault === undefined ? '' : ` (${record.fault.code}: ${record.fault.message})`;
    journal.violation(`volume ${id} was acknowledged as ${known ?? 'gone'}, and is ${found ?? 'gone'}${fault}`);
    this.volumes.delete(id);
    return false;
  }

  private async settled(id: string) {
    const { store, journal } = this.options;
    try {
      return await settledRecord(store, id, stuckMs);
    } catch (error) {
      journal.violation(`stuck: ${String(error)}`);
      throw error;
    }
  }
}
