import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Semaphore } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { type KeptExport, SpecFiles, keptExport } from '../../iscsi/spec-files.ts';
import { SanCommandError } from '../../san/shell.ts';
import type { SolarisCommands } from '../../san/solaris/commands.ts';
import type { Chap } from '../target.ts';
import { type Initiator, readInitiators } from './inventory.ts';

/** With the user that its initiators may still have from before a change that was interrupted. */
const keptSecret = keptExport.extend({ formerUser: z.string().optional() });
type KeptSecret = z.infer<typeof keptSecret>;
export type SecretExport = KeptExport & { chap: Chap };

/** For all backends of this process: initiators are common to those of one storage. */
const known = new Map<string, InitiatorSecrets>();

/** Returns the secrets that this node has set on the storage with that directory. */
export function secretsIn(directory: string): InitiatorSecrets {
  const secrets = known.get(directory) ?? new InitiatorSecrets(directory);
  known.set(directory, secrets);
  return secrets;
}

/** Whether the initiator authenticates itself by that user. */
export function hasUser(initiator: Initiator | undefined, { user }: Chap): boolean {
  return initiator?.user === user && initiator.hasSecret;
}

/**
 * Users and secrets of initiators. COMSTAR has one for each initiator, whatever target that logs in to: all exports to a host share it.
 * Each export with a secret has a file, as the storage shows no secret; an initiator with a user of none of them is somebody else's.
 */
export class InitiatorSecrets {
  private readonly files: SpecFiles<KeptSecret>;
  /** Of attachments that are being made, by volume: they have no file yet. */
  private readonly issued = new Map<string, Pick<SecretExport, 'id' | 'hosts' | 'chap'>>();
  private readonly oneAtATime = new Semaphore(1);

  constructor(directory: string) {
    this.files = new SpecFiles(directory, keptSecret);
  }

  /** Whether the export is as it was last made. */
  async isKept(request: KeptExport): Promise<boolean> {
    const { chap } = request;
    const found = await this.files.read(request.id);
    return chap ? isDeepStrictEqual(found, request) : found === undefined;
  }

  /** Returns exports that were made with a secret, and may not be there any more. */
  async list(): Promise<ReadonlyMap<string, KeptExport>> {
    return this.files.readAll();
  }

  /** Returns what the attachment of a volume to these hosts gets: what one of them has already, or else `fresh`. Throws ExportFailed. */
  share(id: string, hosts: readonly string[], fresh: Chap): Promise<Chap> {
    return this.oneAtATime.run(async () => {
      const others = (await this.exports()).filter((one) => one.id !== id && one.hosts.some((h) => hosts.includes(h)));
      const [chap = fresh, second] = new Map(others.map((one) => [one.chap.user, one.chap])).values();
      if (second !== undefined) {
        throw errors.exportFailed(
          id,
          `its hosts ${hosts.join(', ')} have different CHAP secrets already, and COMSTAR has one for each initiator`,
          'attach it to one of them, or detach their other volumes first',
        );
      }
      this.issued.set(id, { id, hosts: [...hosts], chap });
      return chap;
    });
  }

  /** `end` is called before a user that an initiator has is replaced. Throws ExportFailed. */
  ensure(commands: SolarisCommands, request: SecretExport, end: () => Promise<void>): Promise<void> {
    const { id, hosts, chap } = request;
    return this.oneAtATime.run(async () => {
      const kept = await this.files.readAll();
      const before = kept.get(id);
      for (const one of kept.values()) {
        const host = one.hosts.find((name) => hosts.includes(name));
        if (one.id === id || !one.chap || host === undefined || isDeepStrictEqual(one.chap, chap)) continue;
        const reason = `the initiator ${host} has another CHAP secret for volume ${one.id}`;
        throw errors.exportFailed(
          id,
          `${reason}, and COMSTAR has one for each initiator`,
          'detach it, and attach it again',
        );
      }
      const own = new Set([...kept.values()].flatMap((one) => [one.chap?.user ?? '', one.formerUser ?? '']));
      const present = await readInitiators(commands);
      const others = hosts.filter((host) => !hasUser(present.get(host), chap));
      for (const host of others) refuseForeign(id, host, present.get(host), own);
      const formerUser = before?.chap && before.chap.user !== chap.user ? before.chap.user : before?.formerUser;
      if (!isDeepStrictEqual(before, request))
        await this.files.write({ ...request, ...(formerUser ? { formerUser } : {}) });
      for (const host of others) {
        if (present.has(host)) await end();
        const verb = present.has(host) ? 'modify-initiator' : 'create-initiator';
        await commands.withSecret(['itadm', verb], ['-u', chap.user, host], chap.secret);
      }
      if (formerUser !== undefined) await this.files.write(request);
      this.issued.delete(id);
      const former = before?.hosts.filter((host) => !hosts.includes(host)) ?? [];
      if (before && former.length > 0) await this.removeIdle(commands, { ...before, hosts: former });
    });
  }

  /** Removes the secrets of the initiators that no other export has. */
  release(commands: SolarisCommands, id: string): Promise<void> {
    return this.oneAtATime.run(async () => {
      this.issued.delete(id);
      const own = await this.files.read(id);
      if (own) await this.removeIdle(commands, own);
      await this.files.remove(id);
    });
  }

  /** Of the hosts of an export those that no other one has. */
  private async removeIdle(commands: SolarisCommands, { id, hosts, chap, formerUser }: KeptSecret): Promise<void> {
    if (!chap) return;
    const others = (await this.exports()).filter((one) => one.id !== id);
    const present = await readInitiators(commands);
    for (const host of hosts.filter((name) => !others.some((one) => one.hosts.includes(name)))) {
      const user = present.get(host)?.user;
      if (user === chap.user || (user !== undefined && user === formerUser)) await remove(commands, host);
    }
  }

  private async exports(): Promise<Pick<SecretExport, 'id' | 'hosts' | 'chap'>[]> {
    const kept = [...(await this.files.readAll()).values()];
    return [...kept.flatMap(({ id, hosts, chap }) => (chap ? [{ id, hosts, chap }] : [])), ...this.issued.values()];
  }
}

/** An initiator without user and secret is nobody's. Throws ExportFailed. */
function refuseForeign(id: string, host: string, found: Initiator | undefined, own: ReadonlySet<string>): void {
  if (!found || (!found.hasSecret && found.user === '') || own.has(found.user)) return;
  throw errors.exportFailed(
    id,
    `the initiator ${host} has a CHAP ${found.hasSecret ? 'secret' : 'user'} on the storage that this node has not set` +
      (found.user === '' ? '' : ` (user ${found.user})`),
    `if no other target needs it, remove it there: itadm delete-initiator ${host}; else set iscsi_chap = false`,
  );
}

async function remove(commands: SolarisCommands, host: string): Promise<void> {
  try {
    await commands.run(['itadm', 'delete-initiator', host]);
  } catch (error) {
    if (!(error instanceof SanCommandError) || !/not found/i.test(error.words)) throw error;
  }
}
