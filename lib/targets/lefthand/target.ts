import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { formatIscsiAddress, initiatorNames } from '../../iscsi/address.ts';
import { Cliq } from '../../san/lefthand/cliq.ts';
import { type LefthandStorage, type LefthandVolume, readStorage } from '../../san/lefthand/volumes.ts';
import { SanCommandError, type SanShell } from '../../san/shell.ts';
import { SharedRead } from '../../san/shared-read.ts';
import type { ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../target.ts';

export interface LefthandTargetOptions {
  /** `san_clustername` */
  cluster: string;
  /** The name of this node: volumes of others in the cluster are left alone. */
  node: string;
}

const iscsiPort = 3260;
const portalGroup = 1;
const lun = 0;
const storageKeptMs = 2000;

/**
 * Exports LeftHand volumes, each under the name that the storage gives it, at the virtual address of its cluster. A host is a server
 * there, with the name of its initiator; a volume is assigned to the servers that may use it.
 */
export class LefthandTarget implements Target {
  readonly name = 'lefthand';
  readonly addressing = 'storage';
  readonly authentication = 'none';
  readonly endpoint = '';
  private readonly options: LefthandTargetOptions;
  private readonly shell: SanShell;
  private readonly cliq: Cliq;
  private readonly storage: SharedRead<LefthandStorage>;
  private readonly mutex = new KeyedMutex();
  private portal: string | undefined;

  constructor(shell: SanShell, options: LefthandTargetOptions) {
    this.options = options;
    this.shell = shell;
    this.cliq = new Cliq(shell);
    this.storage = new SharedRead(() => readStorage(this.cliq, options));
  }

  /** Throws StorageUnusable for a cluster without exactly one virtual address. */
  async setup(): Promise<void> {
    this.portal = await this.virtualAddress();
    await this.storage.fresh();
  }

  async findAddress(id: string): Promise<string | undefined> {
    const { volumes } = await this.storage.fresh();
    const found = volumes.find(({ described }) => described?.id === id);
    return found && this.address(found, await this.virtualAddress());
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    const { id, readOnly } = spec;
    const hosts = initiatorNames(spec.hosts);
    const access = readOnly ? 'r' : 'rw';
    if (hosts.length === 0) {
      const reason = 'LeftHand assigns volumes to hosts by name, not to all';
      throw errors.exportFailed(id, reason, 'name the host: volume attach --initiator; leave export_unattached off');
    }
    await this.mutex.run(id, async () => {
      if (isAssigned(this.volumeIn(await this.storage.recent(storageKeptMs), id), hosts, access)) return;
      const volume = this.volumeIn(await this.storage.fresh(), id);
      if (!volume) throw errors.exportFailed(id, `volume-${id} does not exist on the storage`);
      const { name, permissions } = volume;
      const former = permissions.filter((one) => !hosts.includes(one.server) || one.access !== access);
      for (const { server } of former) await this.unassign(name, server);
      for (const host of hosts) {
        if (permissions.some((one) => one.server === host && one.access === access)) continue;
        await this.ensureServer(host);
        const values = { volumeName: name, serverName: host, ...(readOnly ? { accessRights: 'r' } : {}) };
        await this.change('assignVolumeToServer', values);
      }
      if (isAssigned(this.volumeIn(await this.storage.fresh(), id), hosts, access)) return;
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
      if (!volume || volume.permissions.length === 0) return;
      for (const { server } of volume.permissions) await this.unassign(volume.name, server);
      const left = this.volumeIn(await this.storage.fresh(), id)?.permissions ?? [];
      if (left.length > 0)
        throw errors.exportRemains(id, `the assignment to ${left.map(({ server }) => server).join(', ')}`);
    });
  }

  async listExports(): Promise<FoundExport[]> {
    const [{ volumes }, portal] = await Promise.all([this.storage.recent(storageKeptMs), this.virtualAddress()]);
    return volumes.flatMap((volume) => {
      const { described, permissions, name } = volume;
      if (permissions.length === 0) return [];
      return [
        {
          ...(described ? { id: described.id } : {}),
          address: this.address(volume, portal),
          path: name,
          readOnly: permissions.every(({ access }) => access === 'r'),
          hosts: permissions.map(({ server }) => server).toSorted(),
        },
      ];
    });
  }

  /** What is kept for an export is its assignments. */
  async listTraces(): Promise<string[]> {
    return (await this.listExports()).flatMap(({ id }) => id ?? []);
  }

  /** No address of a shelf is of this kind. */
  async discover(_shelves: readonly number[]): Promise<SeenAddress[]> {
    return [];
  }

  problems(): readonly TargetProblem[] {
    return this.shell.failure ? [{ error: this.shell.failure }] : [];
  }

  async close(): Promise<void> {
    await this.shell.close();
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
    const [found] = await this.cliq.run('getClusterInfo', { clusterName: cluster, searchDepth: '1', verbose: '0' });
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

  private unassign(volumeName: string, serverName: string): Promise<void> {
    return this.change('unassignVolumeToServer', { volumeName, serverName });
  }

  private async change(verb: string, values: Readonly<Record<string, string>>): Promise<void> {
    try {
      await this.cliq.run(verb, values);
    } finally {
      this.storage.invalidate();
    }
  }
}

function isAssigned(volume: LefthandVolume | undefined, hosts: readonly string[], access: string): boolean {
  const { permissions = [] } = volume ?? {};
  return (
    permissions.length === hosts.length &&
    hosts.every((host) => permissions.some((one) => one.server === host && one.access === access))
  );
}
