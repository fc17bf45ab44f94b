import { rbdAddress } from '../../rbd/address.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { type RbdUser, endpointText } from '../../rbd/connection.ts';
import { readMonitors } from '../../rbd/monitors.ts';
import { SharedRead } from '../../san/shared-read.ts';
import { WithoutExports } from '../without-exports.ts';

/** Monitors are replaced rarely, and hosts need one that they know. */
const monitorsKeptMs = 60_000;

/** Says where hosts find images of Ceph, which they reach by themselves. */
export class RbdTarget extends WithoutExports {
  readonly name = 'rbd';
  private readonly pool: string;
  private readonly monitors: SharedRead<void>;
  private known = '';

  constructor(commands: RbdCommands, user: RbdUser) {
    super();
    this.pool = commands.cluster.pool;
    this.monitors = new SharedRead(async () => {
      this.known = endpointText(user, await readMonitors(commands));
    });
  }

  /** As of the last setup or attachment. */
  override get endpoint(): string {
    return this.known;
  }

  /** Throws CephUnreachable, CephDenied, CephConfiguration, RbdFailed, CommandNotFound. */
  override async setup(): Promise<void> {
    await this.monitors.fresh();
  }

  addressOf(id: string): string {
    return rbdAddress(this.pool, `volume-${id}`);
  }

  /** Throws what setup() throws. */
  override async ensureExport(): Promise<void> {
    await this.monitors.recent(monitorsKeptMs);
  }
}
