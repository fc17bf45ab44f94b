import { errors } from '../../errors.ts';
import { initiatorNames, portalText, targetNameOf, volumeOfTargetName, volumeUnit } from '../../iscsi/address.ts';
import { checkIsHere } from '../../iscsi/portal.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import { PortalTarget, type PortalTargetOptions, foundAddress } from '../../iscsi/portal-target.ts';
import type { ExportSpec, FoundExport, Target } from '../target.ts';
import { backstorePaths } from './backstore.ts';
import { type Configfs, KernelConfigfs } from '../configfs.ts';
import type { Watch } from '../server-watch.ts';
import { Exports } from './exports.ts';
import { type FoundTarget, backstoreIn, isServing, readTarget, targetNames } from './found-target.ts';
import { KernelExports } from '../kernel-exports.ts';
import { type Kernel, thisKernel } from '../kernel-target.ts';
import { lio, prepareLio } from './kernel.ts';
import { groupOf, isOwnBackstore, unitName, volumeOfBackstore } from './layout.ts';
import { portalHolder } from './portals.ts';

interface Context {
  processes: Processes;
  log: Log;
  /** Default: that of this machine. */
  configfs?: Configfs;
  kernel?: Kernel;
}

/** Exports volumes over iSCSI by the kernel's target (LIO), one target each, by configfs alone. It keeps nothing on disk. */
export class IscsiLioTarget extends PortalTarget implements Target {
  readonly name = 'iscsi-lio';
  private readonly processes: Processes;
  private readonly kernel: Kernel;
  private readonly configfs: Configfs;
  private readonly exports: Exports;
  private readonly established: KernelExports;

  constructor(options: PortalTargetOptions, { processes, log, configfs, kernel = thisKernel(lio) }: Context) {
    super(options);
    this.processes = processes;
    this.kernel = kernel;
    this.configfs = configfs ?? new KernelConfigfs(processes, lio.directory);
    this.exports = new Exports(this.configfs, options, log);
    this.established = new KernelExports(this.exports, {
      server: { name: "the kernel's iSCSI target", loser: 'the kernel' },
      start: () => prepareLio(this.configfs, processes, kernel),
      lost: (specs) => this.lost(specs),
      log,
    });
  }

  /** Throws KernelTargetUnusable, PortalUnusable. */
  async setup(): Promise<void> {
    const { portal } = this.options;
    await prepareLio(this.configfs, this.processes, this.kernel);
    checkIsHere(portal); // the kernel binds any address
    const holder = await portalHolder(this.configfs, portal);
    if (holder !== undefined) throw errors.portalTaken(portalText(portal), holder);
    this.watch.begin();
  }

  protected get watch(): Watch {
    return this.established.watch;
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    await this.established.ensure({ ...spec, hosts: initiatorNames(spec.hosts) });
  }

  /** It shows the size of a device by itself; that of a file is compared by every request. */
  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    await this.established.remove(id);
  }

  async listExports(): Promise<FoundExport[]> {
    const names = await targetNames(this.configfs);
    return Promise.all(names.map(async (name) => this.foundExport(await readTarget(this.configfs, name))));
  }

  /** A backstore is made first and removed last. */
  async listTraces(): Promise<string[]> {
    const ids = (await backstorePaths(this.configfs)).flatMap((path) => volumeOfBackstore(path) ?? []);
    return [...new Set(ids)];
  }

  /** A target of that name is ours only with a backstore of ours: other programs name their targets alike. */
  private async foundExport(target: FoundTarget): Promise<FoundExport> {
    const { name, units, acls, isOpen, asksSecret } = target;
    const own = backstoreIn(target);
    const { number, backstore } = units.find((unit) => unit.number === volumeUnit) ??
      units[0] ?? { number: 0, backstore: '' };
    const id = isServing(target) && isOwnBackstore(own) ? volumeOfTargetName(name) : undefined;
    const chap = isOpen ? target.chap : acls[0]?.chap;
    return {
      ...(id === undefined ? {} : { id }),
      address: foundAddress(target.portals[0] ?? '', name, number),
      path: backstore === '' ? '' : ((await this.configfs.read(`${backstore}/udev_path`)) ?? ''),
      readOnly: isOpen ? target.isReadOnly : acls.length > 0 && acls.every(({ isReadOnly }) => isReadOnly),
      hosts: isOpen ? [] : acls.map(({ initiator }) => initiator),
      ...(asksSecret && chap && chap.user !== '' ? { chap } : {}),
    };
  }

  private async lost(specs: readonly ExportSpec[]): Promise<string[]> {
    const ids: string[] = [];
    for (const spec of specs) if (!(await this.isServed(spec))) ids.push(spec.id);
    return ids;
  }

  private async isServed(spec: ExportSpec): Promise<boolean> {
    const { id, hosts, chap } = spec;
    const group = groupOf(targetNameOf(this.options.targetPrefix, id));
    const [backstore, enable, isOpen, asksSecret, portals, acls] = await Promise.all([
      this.backstoreOf(`${group}/lun/${unitName}`),
      this.configfs.read(`${group}/enable`),
      this.configfs.read(`${group}/attrib/generate_node_acls`),
      this.configfs.read(`${group}/attrib/authentication`),
      this.configfs.directories(`${group}/np`),
      this.configfs.directories(`${group}/acls`),
    ]);
    return (
      isOwnBackstore(backstore) && // not one that another program has restored
      enable === '1' &&
      (isOpen === '1') === (hosts.length === 0) &&
      (asksSecret === '1') === (chap !== undefined) &&
      portals.includes(this.endpoint) &&
      acls.toSorted().join(' ') === hosts.join(' ') &&
      (await this.haveRights(group, spec))
    );
  }

  private async backstoreOf(unit: string): Promise<string> {
    const [link = ''] = await this.configfs.links(unit);
    return (link === '' ? undefined : await this.configfs.follow(`${unit}/${link}`)) ?? '';
  }

  /** Whether the hosts have the secret and the right to write: a program that restores an earlier export changes them in ours. */
  private async haveRights(group: string, { hosts, chap, readOnly }: ExportSpec): Promise<boolean> {
    const rightsAt = async (path: string, protection: string) => {
      const [password, isProtected] = await Promise.all([
        this.configfs.read(`${path}/auth/password`),
        this.configfs.read(`${path}/${protection}`),
      ]);
      return (chap === undefined || password === chap.secret) && (isProtected === '1') === readOnly;
    };
    if (hosts.length === 0) return rightsAt(group, 'attrib/demo_mode_write_protect');
    const all = hosts.map((host) => rightsAt(`${group}/acls/${host}`, `${unitName}/write_protect`));
    return (await Promise.all(all)).every(Boolean);
  }
}
