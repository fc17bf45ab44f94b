import { z } from 'zod';
import { Semaphore, pollUntil } from '../../concurrency.ts';
import { asError, errors } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { block, blockedClients } from '../../rbd/blocklist.ts';
import { clientsOf, watchersOf } from '../../rbd/clients.ts';
import type { RbdCommands } from '../../rbd/commands.ts';

/** How long clients may take to close an image: what QEMU and kernel still hold of a volume is written then. */
const closingMs = 5000;
/** A program that starts its client again whenever that is blocked is a matter for a person. */
const maxRounds = 5;
const maxReads = 8;
const imagesShape = z.array(z.string());

export interface ClientsOptions {
  log: Log;
  /** Default: 5000. */
  closingMs?: number | undefined;
}

/** Ends the use of images by clients of Ceph, which admits whoever has the key. */
export class Clients {
  private readonly commands: RbdCommands;
  private readonly options: ClientsOptions;
  private readonly reads = new Semaphore(maxReads);

  constructor(commands: RbdCommands, options: ClientsOptions) {
    this.commands = commands;
    this.options = options;
  }

  /**
   * Resolves when no client can write to the image: each one has closed it, or is blocked. Throws ClientNotBlocked, VolumeStillOpen,
   * CephUnreachable, CephDenied, RbdFailed, CommandNotFound.
   */
  async end(volume: string, image: string): Promise<void> {
    const isClosed = async () => (await this.open(image)).length === 0;
    const wait = { deadlineMs: this.options.closingMs ?? closingMs, intervalMs: 200, maxIntervalMs: 1000 };
    if (await pollUntil(isClosed, wait)) return;
    for (let round = 0; ; round += 1) {
      const clients = await this.open(image);
      const [first] = clients;
      if (first === undefined) return;
      if (round === maxRounds) {
        const reason = 'as another one whenever it is blocked';
        throw errors.volumeStillOpen(
          volume,
          first,
          reason,
          'end the program that opens it there, then detach it again',
        );
      }
      await this.refuseShared(volume, image, clients);
      for (const client of clients) await this.block(volume, client);
    }
  }

  /** Returns the clients that are not blocked. */
  private async open(image: string): Promise<string[]> {
    const clients = await clientsOf(this.commands, image);
    if (clients.length === 0) return [];
    const blocked = await blockedClients(this.commands);
    return clients.filter((client) => !blocked.has(client));
  }

  /** A blocked client loses all its images: a kernel has one client for several of them, unless they were mapped with `noshare`. */
  private async refuseShared(volume: string, image: string, clients: readonly string[]): Promise<void> {
    const images = (await this.commands.read(imagesShape, ['ls'])) ?? [];
    const uses = await Promise.all(
      images.map(async (other) => {
        if (other === image) return [];
        const watchers = await this.reads.run(() => watchersOf(this.commands, other));
        const shared = watchers.find((client) => clients.includes(client));
        return shared === undefined ? [] : [{ other, shared }];
      }),
    );
    const [first] = uses.flat();
    if (first === undefined) return;
    const { pool } = this.commands.cluster;
    throw errors.volumeStillOpen(
      volume,
      first.shared,
      `which has ${pool}/${first.other} open as well`,
      `unmap ${pool}/${image} on its host; or end both uses, ceph osd blocklist add ${first.shared}, then detach it again`,
    );
  }

  private async block(volume: string, client: string): Promise<void> {
    try {
      await block(this.commands, client);
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code !== 'CephDenied') throw error;
      const { user, pool } = this.commands.cluster;
      throw errors.clientNotBlocked(user, pool, { volume, client });
    }
    this.options.log.warn(
      `blocked the client at ${client}, which still had volume ${volume} open after its attachment`,
    );
  }
}
