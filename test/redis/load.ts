import { randomUUID } from 'node:crypto';
import { BlockstoreError } from '../../lib/errors.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';

/** What was acknowledged of a volume last; `unknown` when the last request ended in an error. */
type Known = 'there' | 'attached' | 'gone' | 'unknown';

const deadline = { deadlineMs: 120_000 };
const expectedErrors =
  /^(RedisUnreachable|RedisRefuses|NotReplicated|NotFinished|ChangeLost|NoNodeUp|BackendUnavailable|WrongStatus|VolumeAttached|VolumeNotAttached)$/;

/** Clients that create, attach, detach and delete volumes side by side until stop(), and keep a record of answers. */
export class Load {
  readonly known = new Map<string, Known>();
  readonly errors: BlockstoreError[] = [];
  private readonly commands: VolumeCommands;
  private readonly mayLose: boolean;
  private running = true;
  private acknowledged = 0;
  private readonly clients: Promise<void>[];

  /** With `mayLose` a volume that was acknowledged may be gone: Redis went back to an older copy. */
  constructor(commands: VolumeCommands, { clients = 6, mayLose = false } = {}) {
    this.commands = commands;
    this.mayLose = mayLose;
    this.clients = Array.from({ length: clients }, (_, index) => this.client(index));
  }

  /** Requests that ended well so far. */
  get count(): number {
    return this.acknowledged;
  }

  async stop(): Promise<void> {
    this.running = false;
    await Promise.all(this.clients);
  }

  /** Where Redis says otherwise than what was acknowledged, one line each. */
  async lost(store: Store): Promise<string[]> {
    const lost: string[] = [];
    for (const [id, known] of this.known) {
      const state = await volumesOf(store).find(id);
      if (known === 'unknown') continue;
      if (known === 'gone' ? state !== undefined : state === undefined) lost.push(`${id} is not ${known}`);
      else if (state && (state.attachStatus === 'attached') !== (known === 'attached')) {
        lost.push(`${id} is ${state.attachStatus}, not ${known}`);
      }
    }
    return lost;
  }

  private async client(index: number): Promise<void> {
    const { commands } = this;
    const newVolume = { size: 1, userId: 'user', projectId: `project${index}` };
    const attachment = { instanceId: `i-${index}`, mountpoint: '/dev/vdb' };
    for (let round = 0; this.running; round += 1) {
      const id = randomUUID();
      const steps: [Known, () => Promise<unknown>][] = [
        ['there', () => commands.create({ ...newVolume, id }, deadline)],
        ['attached', () => commands.attach(id, attachment, deadline)],
        ['there', () => commands.detach(id, deadline)],
        ['gone', () => commands.delete(id, deadline)],
      ];
      // Some stay as they are after each step.
      const last = round % 6 === 0 ? (round / 6) % 4 : 3;
      for (const [known, step] of steps.slice(0, last + 1)) {
        if (!(await this.ask(id, known, step))) break;
      }
    }
  }

  private async ask(id: string, known: Known, step: () => Promise<unknown>): Promise<boolean> {
    try {
      await step();
      this.known.set(id, known);
      this.acknowledged += 1;
      return true;
    } catch (error) {
      this.known.set(id, 'unknown');
      if (!(error instanceof BlockstoreError) || !this.isExpected(error)) throw error;
      this.errors.push(error);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return false;
    }
  }

  private isExpected({ code }: BlockstoreError): boolean {
    return expectedErrors.test(code) || (this.mayLose && code === 'VolumeNotFound');
  }
}
