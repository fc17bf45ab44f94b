import { errors } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { rbdAddress } from '../../rbd/address.ts';
import { mayBlock } from '../../rbd/blocklist.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { type RbdUser, endpointText } from '../../rbd/connection.ts';
import { readMonitors } from '../../rbd/monitors.ts';
import { SharedRead } from '../../san/shared-read.ts';
import type { ExportSpec } from '../target.ts';
import { WithoutExports } from '../without-exports.ts';
import { Attachments } from './attachments.ts';
import { Clients, type ClientsOptions } from './clients.ts';

/** Monitors are replaced rarely, and hosts need one that they know. */
const monitorsKeptMs = 60_000;

/** Says where hosts find images of Ceph, which they reach by themselves, and ends their use with the attachment. */
export class RbdTarget extends WithoutExports {
  readonly name = 'rbd';
  private readonly commands: RbdCommands;
  private readonly log: Log;
  private readonly monitors: SharedRead<void>;
  private readonly attachments: Attachments;
  private readonly clients: Clients;
  private known = '';

  constructor(commands: RbdCommands, user: RbdUser, options: ClientsOptions) {
    super();
    this.commands = commands;
    this.log = options.log;
    this.attachments = new Attachments(commands);
    this.clients = new Clients(commands, options);
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
    if (await mayBlock(this.commands)) return;
    const { user, pool } = this.commands.cluster;
    const { message, hint } = errors.clientNotBlocked(user, pool);
    this.log.warn(message, { hint });
  }

  addressOf(id: string): string {
    return rbdAddress(this.commands.cluster.pool, imageOf(id));
  }

  /** Throws what setup() throws. */
  override async ensureExport({ id }: ExportSpec): Promise<void> {
    await Promise.all([this.monitors.recent(monitorsKeptMs), this.attachments.add(id)]);
  }

  /**
   * No client of the attachment can write any more. Without an attachment nobody is stopped: a deletion waits for who has the image
   * open. Throws ClientNotBlocked, VolumeStillOpen, and what setup() throws.
   */
  override async removeExport(id: string): Promise<void> {
    if (!(await this.attachments.has(id))) return;
    await this.clients.end(id, imageOf(id));
    await this.attachments.remove(id);
  }
}

function imageOf(id: string): string {
  return `volume-${id}`;
}
