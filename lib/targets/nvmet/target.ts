import { portalText } from '../../iscsi/address.ts';
import type { Log } from '../../log.ts';
import { formatted, hostNqns, nqnOf, nvmeAddress, volumeOfNqn } from '../../nvme/address.ts';
import type { Processes } from '../../process.ts';
import { type Configfs, KernelConfigfs } from '../configfs.ts';
import { KernelExports } from '../kernel-exports.ts';
import { type Kernel, prepareKernel, thisKernel } from '../kernel-target.ts';
import type { ExportSpec, FoundExport, Target, TargetProblem } from '../target.ts';
import { Exports, type ExportsOptions } from './exports.ts';
import { isServing, readSubsystem, subsystemNames } from './found-subsystem.ts';
import { nvmeTarget } from './kernel.ts';
import { namespaceOf, subsystemOf } from './layout.ts';

interface Context {
  processes: Processes;
  log: Log;
  /** Default: that of this machine. */
  configfs?: Configfs;
  kernel?: Kernel;
}

/** Exports volumes over NVMe/TCP by the kernel's target, one subsystem each, by configfs alone. It keeps nothing on disk. */
export class NvmetTarget implements Target {
  readonly name = 'nvmet';
  readonly addressing = 'own';
  readonly authentication = 'none';
  private readonly options: ExportsOptions;
  private readonly processes: Processes;
  private readonly kernel: Kernel;
  private readonly configfs: Configfs;
  private readonly exports: Exports;
  private readonly established: KernelExports;

  constructor(options: ExportsOptions, { processes, log, configfs, kernel = thisKernel(nvmeTarget) }: Context) {
    this.options = options;
    this.processes = processes;
    this.kernel = kernel;
    this.configfs = configfs ?? new KernelConfigfs(processes, nvmeTarget.directory);
    this.exports = new Exports(this.configfs, options, log);
    this.established = new KernelExports(this.exports, {
      server: { name: nvmeTarget.name, loser: 'the kernel' },
      start: () => prepareKernel(nvmeTarget, processes, kernel),
      lost: (specs) => this.lost(specs),
      log,
    });
  }

  get endpoint(): string {
    return portalText(this.options.portal);
  }

  addressOf(id: string): string {
    return nvmeAddress(this.options.portal, this.options.targetPrefix, id);
  }

  /** Throws KernelTargetUnusable, PortalUnusable. */
  async setup(): Promise<void> {
    await prepareKernel(nvmeTarget, this.processes, this.kernel);
    await this.exports.ports.check();
    this.established.watch.begin();
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    await this.established.ensure({ ...spec, hosts: hostNqns(spec.hosts) });
  }

  /** Every request has the kernel read the size. */
  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  async removeExport(id: string): Promise<void> {
    await this.established.remove(id);
  }

  async listExports(): Promise<FoundExport[]> {
    const names = await subsystemNames(this.configfs);
    return Promise.all(names.map((nqn) => this.foundExport(nqn)));
  }

  /** A subsystem is made first and removed last; one that a crash left without its model has nothing else either. */
  async listTraces(): Promise<string[]> {
    const names = (await subsystemNames(this.configfs)).filter((nqn) => volumeOfNqn(nqn) !== undefined);
    const found = await Promise.all(names.map((nqn) => readSubsystem(this.configfs, this.exports.ports, nqn)));
    const own = found.filter(
      ({ isOurs, namespaces, hosts }) => isOurs || (namespaces.length === 0 && hosts.length === 0),
    );
    return [...new Set(own.flatMap(({ nqn }) => volumeOfNqn(nqn) ?? []))];
  }

  problems(): readonly TargetProblem[] {
    return this.established.watch.problems;
  }

  get restarts(): number {
    return this.established.watch.restarts;
  }

  /** The exports go on. */
  async close(): Promise<void> {
    await this.established.watch.end();
  }

  private async foundExport(nqn: string): Promise<FoundExport> {
    const found = await readSubsystem(this.configfs, this.exports.ports, nqn);
    const { isProven, portal, namespaces, isOpen, hosts } = found;
    const id = isProven && isServing(found) ? volumeOfNqn(nqn) : undefined;
    return {
      ...(id === undefined ? {} : { id }),
      address: portal === undefined ? nqn : formatted(portal, nqn),
      path: namespaces[0]?.device ?? '',
      readOnly: false,
      hosts: isOpen ? [] : hosts,
    };
  }

  private async lost(specs: readonly ExportSpec[]): Promise<string[]> {
    const port = await this.exports.ports.find();
    const ids: string[] = [];
    for (const spec of specs) if (!spec.readOnly && !(await this.isServed(spec, port))) ids.push(spec.id);
    return ids;
  }

  private async isServed({ id, hosts }: ExportSpec, port: string | undefined): Promise<boolean> {
    const nqn = nqnOf(this.options.targetPrefix, id);
    const path = subsystemOf(nqn);
    const [open, enable, admitted, presented] = await Promise.all([
      this.configfs.read(`${path}/attr_allow_any_host`),
      this.configfs.read(`${namespaceOf(nqn)}/enable`),
      this.configfs.links(`${path}/allowed_hosts`),
      this.configfs.follow(`${port}/subsystems/${nqn}`),
    ]);
    return (
      enable === '1' &&
      (open === '1') === (hosts.length === 0) &&
      admitted.toSorted().join(' ') === hosts.join(' ') &&
      presented === path
    );
  }
}
