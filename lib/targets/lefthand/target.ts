import { isDeepStrictEqual } from 'node:util';
import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { formatIscsiAddress, initiatorNames } from '../../iscsi/address.ts';
import { SpecFiles, type KeptExport, keptExport } from '../../iscsi/spec-files.ts';
import { Cliq } from '../../san/lefthand/cliq.ts';
import { readCluster } from '../../san/lefthand/cluster.ts';
import { type LefthandStorage, type LefthandVolume, type Permission, readStorage } from '../../san/lefthand/volumes.ts';
import { SanCommandError, type SanShell } from '../../san/shell.ts';
import { SharedRead } from '../../san/shared-read.ts';
import type { Chap, ExportSpec, FoundExport, Target, TargetProblem } from '../target.ts';

export interface LefthandTargetOptions {
  /** `san_clustername` */
  cluster: string;
  /** The name of this node: volumes of others in the cluster are left alone. */
  node: string;
  /** Whether new attachments get a secret (iscsi_chap). */
  chap: boolean;
  /** For what the storage does not show of exports. */
  directory: string;
}

const iscsiPort = 3260;
const portalGroup = 1;
const lun = 0;
const storageKeptMs = 2000;

/**
 * Exports LeftHand volumes, each under the name that the storage gives it, at the virtual address of its cluster. A volume is assigned to a
 * user and secret, or without one to servers, which have the names of initiators. The storage admits whom any assignment admits, so with
 * a secret there is none to a server, which would need no secret.
 */
export class LefthandTarget implements Target {
  readonly name = 'lefthand';
  readonly addressing = 'storage';
  readonly authentication: 'chap' | 'none';
  readonly endpoint = '';
  private readonly options: LefthandTargetOptions;
  private readonly shell: SanShell;
  private readonly cliq: Cliq;
  private readonly storage: SharedRead<LefthandStorage>;
  /** The hosts of exports with a secret: the storage does not know them. */
  private readonly files: SpecFiles<KeptExport>;
  private readonly mutex = new KeyedMutex();
  private portal: string | undefined;

  constructor(shell: SanShell, options: LefthandTargetOptions) {
    this.options = options;
    this.authentication = options.chap ? 'chap' : 'none';
    this.files = new SpecFiles(options.directory, keptExport);
    this.shell = shell;
    this.cliq = new Cliq(shell);
    this.storage = new SharedRead(() => readStorage(this.cliq, options), shell.changes);
  }

  /** Throws StorageUnusable for a cluster without exactly one virtual address. */
  async setup(): Promise<void> {
    this.portal = await this.virtualAddress();
    await this.storage.fresh();
  }

  async findAddress(id: string): Promise<string | undefined> {
    const known = this.volumeIn(await this.storage.inSeries(storageKeptMs), id);
    const found = known ?? this.volumeIn(await this.storage.fresh(), id);
    return found && this.address(found, await this.virtualAddress());
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    const { id, path, address, readOnly, chap } = spec;
    const kept = { id, path, address, readOnly, hosts: initiatorNames(spec.hosts), ...(chap ? { chap } : {}) };
    if (kept.hosts.length === 0) {
      const reason = 'LeftHand assigns volumes to hosts by name, not to all';
      throw errors.exportFailed(id, reason, 'name the host: volume attach --initiator; leave export_unattached off');
    }
    const grants = grantsOf(kept);
    await this.mutex.run(id, async () => {
      if (chap) await this.keep(kept);
      if (isAssigned(this.volumeIn(await this.storage.inSeries(storageKeptMs), id), grants)) return;
      const volume = this.volumeIn(await this.storage.fresh(), id);
      if (!volume) throw errors.exportFailed(id, `volume-${id} does not exist on the storage`);
      const { name, permissions } = volume;
      const former = permissions.filter((permission) => !grants.some((grant) => isFor(permission, grant)));
      for (const { group } of former) await this.unassign(name, group);
      const missing = grants.filter((grant) => !permissions.some((permission) => isFor(permission, grant)));
      for (const grant of missing) await this.assign(name, grant);
      if (isAssigned(this.volumeIn(await this.storage.fresh(), id), grants)) return;
      throw errors.exportFailed(
        id,
        'the storage has assigned it otherwise',
        `see getVolumeInfo volumeName=${name} there`,
      );
    });
  }

  /** The storage shows it by itself. */
  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const volume = this.volumeIn(await this.storage.fresh(), id);
      if (volume && volume.permissions.length > 0) {
        for (const { group } of volume.permissions) await this.unassign(volume.name, group);
        const left = this.volumeIn(await this.storage.fresh(), id)?.permissions ?? [];
        if (left.length > 0)
          throw errors.exportRemains(id, `the assignment to ${left.map(({ group }) => group).join(', ')}`);
      }
      await this.files.remove(id);
    });
  }

  async listExports(): Promise<FoundExport[]> {
    const [{ volumes }, portal] = await Promise.all([this.storage.recent(storageKeptMs), this.virtualAddress()]);
    const exported = volumes.filter(({ permissions }) => permissions.length > 0);
    return Promise.all(exported.map((volume) => this.foundExport(volume, portal)));
  }

  /** What is kept for an export is its assignments, and its file. */
  async listTraces(): Promise<string[]> {
    const exported = (await this.listExports()).flatMap(({ id }) => id ?? []);
    return [...new Set([...exported, ...(await this.files.ids())])];
  }

  problems(): readonly TargetProblem[] {
    return this.shell.failure ? [{ error: this.shell.failure }] : [];
  }

  async close(): Promise<void> {
    await this.shell.close();
  }

  private async foundExport(volume: LefthandVolume, portal: string): Promise<FoundExport> {
    const { described, permissions, name } = volume;
    const shown = permissions.find((permission) => permission.chap !== undefined)?.chap;
    const kept = described && shown ? await this.files.read(described.id) : undefined;
    const own = kept?.chap?.user === shown?.user ? kept : undefined;
    const chap = shown?.secret === '' ? (own?.chap ?? shown) : shown;
    return {
      ...(described ? { id: described.id } : {}),
      address: this.address(volume, portal),
      path: name,
      readOnly: permissions.every(({ access }) => access === 'r'),
      hosts: chap ? (own?.hosts ?? []) : permissions.map(({ group }) => group).toSorted(),
      ...(chap ? { chap } : {}),
    };
  }

  private volumeIn({ volumes }: LefthandStorage, id: string): LefthandVolume | undefined {
    return volumes.find(({ described }) => described?.id === id);
  }

  private address({ targetName }: LefthandVolume, ip: string): string {
    return formatIscsiAddress({ ip, port: iscsiPort, portalGroup, targetName: targetName.toLowerCase(), lun });
  }

  private async virtualAddress(): Promise<string> {
    if (this.portal !== undefined) return this.portal;
    const { cluster } = this.options;
    const found = await readCluster(this.cliq, cluster);
    const addresses = found?.children
      .filter(({ name }) => name === 'vip')
      .map(({ attributes }) => attributes['ipAddress']);
    const [address] = addresses ?? [];
    if (addresses?.length === 1 && address !== undefined) return address;
    const reason = `it has ${addresses?.length ?? 0} virtual addresses instead of one`;
    const hint = 'give the cluster one virtual IP address in the management console';
    throw errors.sanStorageAbsent(`LeftHand cluster ${cluster}`, this.shell.where, reason, hint);
  }

  private async ensureServer(host: string): Promise<void> {
    try {
      await this.cliq.run('getServerInfo', { serverName: host });
    } catch (error) {
      if (!(error instanceof SanCommandError)) throw error;
      await this.cliq.run('createServer', { serverName: host, initiator: host });
    }
  }

  private async keep(kept: KeptExport): Promise<void> {
    const before = await this.files.read(kept.id);
    if (!isDeepStrictEqual(before, kept)) await this.files.write(kept);
  }

  /** The secret is a word of the command: CLIQ takes it in no other way. */
  private async assign(volumeName: string, { access, server, chap }: Grant): Promise<void> {
    const rights = access === 'rw' ? {} : { accessRights: access };
    if (chap) {
      const login = { chapName: chap.user, targetSecret: chap.secret };
      return this.change('assignVolumeChap', { volumeName, ...login, ...rights });
    }
    await this.ensureServer(server);
    await this.change('assignVolumeToServer', { volumeName, serverName: server, ...rights });
  }

  /** Also of a user and secret: the name that the storage gave them stands for the server's. */
  private unassign(volumeName: string, serverName: string): Promise<void> {
    return this.change('unassignVolumeToServer', { volumeName, serverName });
  }

  private async change(verb: string, values: Readonly<Record<string, string>>): Promise<void> {
    await this.storage.changing(() => this.cliq.run(verb, values));
  }
}

/** An assignment as it is to be. */
type Grant = { access: string } & ({ server: string; chap?: undefined } | { server?: undefined; chap: Chap });

function grantsOf({ hosts, chap, readOnly }: KeptExport): Grant[] {
  const access = readOnly ? 'r' : 'rw';
  return chap ? [{ access, chap }] : hosts.map((server) => ({ access, server }));
}

function isAssigned(volume: LefthandVolume | undefined, grants: readonly Grant[]): boolean {
  const { permissions = [] } = volume ?? {};
  return (
    permissions.length === grants.length &&
    grants.every((grant) => permissions.some((permission) => isFor(permission, grant)))
  );
}

/** No other attachment has the user: where the storage does not show the secret, the user is enough. */
function isFor({ access, group, chap: found }: Permission, { access: expected, server, chap }: Grant): boolean {
  if (access !== expected || found?.user !== chap?.user) return false;
  return chap ? found?.secret === '' || found?.secret === chap.secret : group === server;
}
