import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { attachmentsOfVolume } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { disagreements } from '../support/agreement.ts';
import type { Cluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { Clock } from '../support/clock.ts';
import { type Entry, describe, unexplained } from './explain.ts';
import { MortalNode } from './mortal-node.ts';
import { isUnreachable, whenReachable } from './reachable.ts';
import { type Fault, type Plan, type Step, nodes, volumes } from './plan.ts';
import { type Answer, type Command, type State, stateText } from './volume-model.ts';

const deadline = { deadlineMs: 20_000 };
/** An audit whose node dies is never answered. */
const auditMs = 2000;
/** After these nobody knows whether the command was carried out. */
const openEnded = new Set(['NotFinished', 'RedisUnreachable', 'Interrupted']);

/** Carries out a plan on nodes of its own. Returns what cannot be explained or does not agree, one line each. */
export async function carryOut(plan: Plan, cluster: Cluster): Promise<string[]> {
  const run = new Run(cluster);
  try {
    return await run.all(plan);
  } finally {
    await run.end();
  }
}

/** A step of the history of one volume. */
type VolumeStep = Step & { name: Exclude<Step['name'], 'list' | 'audit'> };

class Run {
  private readonly clock = new Clock();
  private readonly ids = Array.from({ length: volumes }, () => randomUUID());
  private readonly histories: Entry[][] = this.ids.map(() => []);
  private readonly prefix = randomUUID().slice(0, 8);
  private readonly cluster: Cluster;
  private readonly nodes: readonly MortalNode[];
  private readonly closers: (() => Promise<void>)[] = [];
  private place = 0;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    const ofNode = (index: number) => {
      const storage_name = `n${index}`;
      const state_dir = `${cluster.directory}/${this.prefix}-${index}`;
      return this.flags({ storage_name, state_dir, stop_timeout: '0', node_down_time: '30' });
    };
    this.nodes = Array.from({ length: nodes }, (_, index) => new MortalNode(ofNode(index), new FakeDriver()));
  }

  async all({ clients, faults }: Plan): Promise<string[]> {
    await Promise.all(this.nodes.map((node) => node.start()));
    const steps = clients.map((client, index) => this.client(`client ${index}`, client));
    await Promise.all([...steps, ...faults.map((fault) => this.fault(fault))]);
    await Promise.all(this.nodes.map((node) => node.start()));
    this.clock.restore();
    const store = await this.store();
    const quiet = async () => {
      const all = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
      const left = await Promise.all(
        this.nodes.map(({ name }) => `volume.${name}`).map((topic) => store.redis.xlen(store.keys.topic(topic))),
      );
      return !all.some(isTransitional) && left.every((length) => length === 0);
    };
    const problems: string[] = [];
    await until(quiet, 'everything begun has ended').catch((error: unknown) => problems.push(String(error)));
    const storages = this.nodes.map(async ({ name, storage }) => ({
      node: name,
      volumes: await storage.listVolumes(),
    }));
    problems.push(...(await disagreements(store, await Promise.all(storages))));
    for (const [index, history] of this.histories.entries()) {
      const last = await stateNow(store, this.ids[index] ?? '');
      const reason = unexplained(history, last);
      if (reason !== undefined)
        problems.push(`volume ${index}: ${reason}`, ...history.map((entry) => `  ${describe(entry)}`));
    }
    return problems;
  }

  async end(): Promise<void> {
    this.clock.restore();
    await Promise.all(this.nodes.map((node) => node.crash()));
    for (const close of this.closers) await close();
  }

  private flags(given: Parameters<Cluster['flags']>[0]) {
    return this.cluster.flags({ redis_prefix: this.prefix, ...given });
  }

  private async store(): Promise<Store> {
    const connection = await whenReachable(() => connect(this.flags({}), silentLog));
    this.closers.push(() => connection.close());
    return new Store(connection, this.prefix);
  }

  private async fault(fault: Fault): Promise<void> {
    await pause(fault.atMs);
    if (fault.kind === 'clock') return this.clock.jump(fault.byMs);
    if (fault.kind === 'connections') return this.breakConnections(fault.type);
    const node = this.nodes[fault.node];
    await node?.crash();
    await pause(fault.downMs);
    await node?.start();
  }

  private async breakConnections(type: 'normal' | 'pubsub'): Promise<void> {
    const store = await this.store();
    await whenReachable(() => store.read((redis) => redis.call('CLIENT', 'KILL', 'TYPE', type)));
  }

  private async client(client: string, steps: readonly Step[]): Promise<void> {
    const store = await this.store();
    const requests = new RequestClient(store);
    const commands = new VolumeCommands(store, requests, 'volume');
    const nodeCommands = new NodeCommands(store, requests, 'volume');
    for (const step of steps) {
      await pause(step.pauseMs);
      const { name } = step;
      if (name === 'list') await this.list(client, store);
      else if (name === 'audit') await audit(nodeCommands, step.node ?? 0);
      else await this.one(client, { ...step, name }, (one) => this.ask(commands, store, one, client));
    }
  }

  private async one(client: string, step: VolumeStep, work: (step: VolumeStep) => Promise<Answer>): Promise<void> {
    const command = commandOf(step, client.replace(' ', '-'));
    const entry: Entry = { client, command, answer: { kind: 'unknown' }, called: this.next(), answered: Infinity };
    this.histories[step.volume]?.push(entry);
    entry.answer = await work(step);
    if (entry.answer.kind !== 'unknown') entry.answered = this.next();
  }

  /** The list as a whole is no snapshot; what it says of each volume is something that was so. */
  private async list(client: string, store: Store): Promise<void> {
    const called = this.next();
    const read = Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
    const found = await read.catch((error: unknown) => {
      if (isUnreachable(error)) return undefined;
      throw error;
    });
    if (!found) return;
    const all = new Map(found.map((volume) => [volume.id, volume]));
    const answered = this.next();
    for (const [index, id] of this.ids.entries()) {
      const state = await stateOf(store, all.get(id)).catch(() => undefined);
      if (state === undefined) continue; // Redis is away, or that attachment has ended since
      const answer = { kind: 'state', state } as const;
      this.histories[index]?.push({ client, command: { name: 'list' }, answer, called, answered });
    }
  }

  private async ask(commands: VolumeCommands, store: Store, step: VolumeStep, client: string): Promise<Answer> {
    const id = this.ids[step.volume] ?? '';
    const node = step.node === undefined ? {} : { node: `n${step.node}` };
    try {
      if (step.name === 'show') return { kind: 'state', state: await stateNow(store, id) };
      if (step.name === 'create')
        await commands.create({ id, size: 1, userId: 'u', projectId: 'p', ...node }, deadline);
      if (step.name === 'delete') await commands.delete(id, deadline);
      if (step.name === 'detach') await commands.detach(id, deadline);
      if (step.name === 'extend') await commands.extend(id, 2, deadline);
      const attachment = { instanceId: client.replace(' ', '-'), mountpoint: '/dev/vdb' };
      if (step.name === 'attach') await commands.attach(id, attachment, deadline);
      return { kind: 'ok' };
    } catch (error) {
      if (!(error instanceof BlockstoreError)) throw error;
      return openEnded.has(error.code) ? { kind: 'unknown' } : { kind: 'error', code: error.code };
    }
  }

  private next(): number {
    this.place += 1;
    return this.place;
  }
}

/** It repairs, and changes nothing of what any client may see. */
async function audit(commands: NodeCommands, node: number): Promise<void> {
  try {
    await commands.audit(`n${node}`, { repair: true, remove: [] }, { deadlineMs: auditMs });
  } catch (error) {
    if (!(error instanceof BlockstoreError)) throw error; // the node is down, or another client's audit is under way
  }
}

function commandOf({ name, node }: VolumeStep, instance: string): Command {
  if (name === 'attach') return { name, instance };
  return name === 'create' ? { name, isPinned: node !== undefined } : { name };
}

/** Read anew where the attachment that the record names has ended in between. */
async function stateNow(store: Store, id: string): Promise<State> {
  for (;;) {
    const state = await stateOf(store, await volumesOf(store).find(id));
    if (state !== undefined) return state;
  }
}

/** Undefined where its attachment has ended since. Whose an attachment is never changes. */
async function stateOf(store: Store, volume: VolumeState | undefined): Promise<State | undefined> {
  if (!volume) return 'absent';
  const { status, attachStatus, attachments, size } = volume;
  const [use] = await attachmentsOfVolume(store, volume);
  if (attachments.length > 0 && !use) return undefined;
  const word = status === 'in-use' && attachStatus !== 'detached' ? attachStatus : status;
  return stateText({ word, isGrown: size > 1, instance: use?.instanceId ?? '' });
}
