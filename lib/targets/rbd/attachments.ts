import type { RbdCommands } from '../../rbd/commands.ts';
import { SharedRead } from '../../san/shared-read.ts';

/** In the pool, for all nodes: a detachment that one began is ended by another. */
const object = 'blockstore-attached';

/**
 * The volumes that have been handed to hosts, as the pool has them: the clients of such a volume end with its attachment. Whoever
 * has another one open was not let in by blockstore, and only keeps it from being deleted.
 */
export class Attachments {
  private readonly commands: RbdCommands;
  /** A start asks about each attached volume at the same time. */
  private readonly all: SharedRead<ReadonlySet<string>>;

  constructor(commands: RbdCommands) {
    this.commands = commands;
    this.all = new SharedRead(async () => new Set((await commands.rados(['listomapkeys', object]))?.split('\n')));
  }

  async has(id: string): Promise<boolean> {
    return (await this.all.fresh()).has(id);
  }

  /** Before a host has the volume. */
  async add(id: string): Promise<void> {
    if (!(await this.has(id))) await this.commands.rados(['setomapval', object, id, 'attached']);
  }

  /** After the last of its clients has ended. */
  async remove(id: string): Promise<void> {
    await this.commands.rados(['rmomapkey', object, id]);
  }
}
