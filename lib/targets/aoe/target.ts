import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { absentAs } from '../../files.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import type { ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../target.ts';
import { Access } from './access.ts';
import { type Durability, parseArguments, vbladeArguments } from './arguments.ts';
import { DetachedSupervisor } from './detached.ts';
import { Discovery } from './discover.ts';
import { VbladesBeside } from './beside.ts';
import { endVblade } from './end-vblade.ts';
import { FilteredAddresses } from './filtered-addresses.ts';
import { foundExports } from './found-exports.ts';
import {
  type InterfaceIdentity,
  checkInterface,
  ethernetAddressOf,
  interfaceStatus,
  ownEthernetAddresses,
} from './interface.ts';
import { InterfaceMemory } from './interface-memory.ts';
import { LocalVblades } from './local-vblades.ts';
import { needsSudo } from './sudo.ts';
import { type Vblade, isRunning, isStopped, sameArguments } from './vblade-process.ts';
import { checkSectors } from './sectors.ts';
import type { Supervisor } from './supervisor.ts';
import { SystemdSupervisor } from './systemd.ts';
import { Watch } from './watch.ts';
import { checkWritable } from './writable.ts';

export interface AoeTargetOptions {
  /** The Ethernet interface that exports are served on (aoe_eth_dev). */
  interface: string;
  durability: Durability;
  /** Files of exports are kept in `<stateDir>/exports`. */
  stateDir: string;
  /** Attempts of commands that only read. */
  numShellTries: number;
  /** Whether exports may be served where access to them cannot be restricted (aoe_unfiltered). */
  unfiltered: boolean;
  /**
   * Default: systemd where it runs, knows the unit blockstore-vblade@.service, and `stateDir` is /var/lib/blockstore, where
   * that unit looks; else detached.
   */
  supervisor?: 'systemd' | 'detached';
}

/** How long another machine has to answer at an address before an export starts there. */
const foreignAnswerMs = 20;

/** Exports volumes over ATA over Ethernet, one vblade process each, which all outlive the daemon. */
export class AoeTarget implements Target {
  readonly name = 'aoe';
  readonly addressing = 'aoe';
  readonly authentication = 'none';
  private readonly options: AoeTargetOptions;
  private readonly processes: Processes;
  private readonly log: Log;
  private readonly discovery: Discovery;
  private readonly access: Access;
  private readonly mutex = new KeyedMutex();
  private readonly local = new LocalVblades();
  private readonly beside = new VbladesBeside(this.local, (id, vblade) => this.isOurs(id, vblade));
  /** What ran when last looked at; checked by process id and start time before it is believed. */
  private readonly known = new Map<string, Vblade>();
  private readonly filtered = new FilteredAddresses();
  /** Exports that began before their storage grew, or their interface was replaced, or got another address or MTU: vblade reads these once. */
  private readonly outdated = new Set<string>();
  private interfaceChanges = 0;
  /** Exports that this daemon has been asked for. */
  private readonly specs = new Map<string, ExportSpec>();
  private readonly interfaceMemory: InterfaceMemory;
  private readonly watch: Watch;
  /** The first one starts exports; another one may hold exports from a time when it was the first. */
  private supervisors: readonly [Supervisor, ...Supervisor[]] | undefined;

  constructor(options: AoeTargetOptions, { processes, log }: { processes: Processes; log: Log }) {
    this.options = options;
    this.processes = processes;
    this.log = log;
    this.discovery = new Discovery(processes, { interface: options.interface });
    this.access = new Access(
      { interface: options.interface, owner: this.directory, unfiltered: options.unfiltered },
      { processes, log },
    );
    this.interfaceMemory = new InterfaceMemory(options.stateDir);
    this.watch = new Watch({
      interface: options.interface,
      deadExports: () => this.deadExports(),
      onInterfaceChange: (identity) => this.noteInterfaceChange(identity),
      restart: (id) => this.restart(id),
      checkAccess: () => this.check(),
      log,
    });
  }

  async setup(): Promise<void> {
    checkInterface(this.options.interface);
    await mkdir(this.directory, { recursive: true });
    // What a crash kept from getting its name: an export that runs does not write it again.
    const halfMade = (await readdir(this.directory)).filter((file) => file.endsWith('.new'));
    for (const file of halfMade) await rm(join(this.directory, file), { force: true });
    this.supervisors = await this.makeSupervisors();
    this.known.clear();
    for (const [id, vblade] of await this.findOurs()) this.known.set(id, vblade);
    await this.access.setup(await this.accessOfExports());
    const { identity } = interfaceStatus(this.options.interface);
    if (identity) await this.findOutdated(identity);
    this.watch.start(identity);
    this.log.debug('exports found running', { count: this.known.size, supervisor: this.supervisors[0].name });
  }

  async ensureExport(spec: ExportSpec): Promise<void> {
    await this.mutex.run(spec.id, async () => {
      this.specs.set(spec.id, spec);
      await this.ensure(spec);
      this.watch.noteRunning(spec.id);
    });
  }

  /** vblade reads the size when it begins. Hosts send again what it has not answered. */
  async resizeExport(spec: ExportSpec): Promise<void> {
    await this.mutex.run(spec.id, async () => {
      this.specs.set(spec.id, spec);
      if (this.known.has(spec.id)) this.outdated.add(spec.id);
      await this.ensure(spec);
      this.watch.noteRunning(spec.id);
    });
  }

  private async ensure(spec: ExportSpec): Promise<void> {
    const args = vbladeArguments(spec, this.options.interface, this.options.durability);
    const known = this.known.get(spec.id);
    const isRight = known && sameArguments(known.args, args) && !this.outdated.has(spec.id) && isRunning(known);
    if (isRight) {
      await this.admit(spec);
      await this.removeFormer(spec);
      for (const supervisor of this.ready) await supervisor.limit(spec.id, spec.limits);
      return;
    }
    checkInterface(this.options.interface);
    await checkSectors(spec, this.options.durability);
    await checkWritable(spec);
    await this.refuseTaken(spec);
    await this.refuseForeign(spec, known);
    await this.clearAddress(spec);
    await this.beside.refuse(spec);
    if (known) await this.clearWay(spec.id, known);
    await this.admit(spec);
    // Its former hosts lose it now. The filters stay as long as the former vblade may answer there.
    for (const former of this.formerAddresses(spec)) await this.access.close(former);
    await mkdir(this.directory, { recursive: true }); // somebody may have removed it
    const { interfaceChanges } = this;
    try {
      this.known.set(spec.id, await this.ready[0].start(spec.id, args, spec.limits));
      if (interfaceChanges !== this.interfaceChanges) this.outdated.add(spec.id);
    } finally {
      if (!known || !isRunning(known)) await this.removeFormer(spec);
    }
  }

  /** As it is now: an interface can be replaced. */
  get endpoint(): string {
    return ethernetAddressOf(this.options.interface);
  }

  problems(): readonly TargetProblem[] {
    const stopped = [...this.known].filter(([id, vblade]) => this.specs.has(id) && isStopped(vblade));
    return [
      ...this.watch.problems,
      ...this.beside.problems().filter(({ id }) => id !== undefined && this.specs.has(id)),
      ...stopped.map(([id, { pid }]) => ({ id, error: errors.exportStopped(id, pid) })),
    ];
  }

  get restarts(): number {
    return this.watch.restarts;
  }

  async removeExport(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      this.specs.delete(id);
      this.watch.clear(id);
      await this.end(id);
    });
  }

  async listExports(): Promise<FoundExport[]> {
    return foundExports(await this.findOurs(), this.ready);
  }

  async listTraces(): Promise<string[]> {
    const ids = (await absentAs([], readdir(this.directory))).flatMap(
      (file) => /^([0-9a-f-]{36})\./.exec(file)?.[1] ?? [],
    );
    return [...new Set(ids)];
  }

  /** Without a carrier, or behind a bridge, nobody can answer: that is no answer. */
  async discover(shelves: readonly number[]): Promise<SeenAddress[]> {
    const linkError = checkInterface(this.options.interface);
    if (linkError) throw linkError;
    return this.discovery.shelves(shelves);
  }

  /** Exports go on. */
  async close(): Promise<void> {
    await this.watch.stop();
    for (const supervisor of this.supervisors ?? []) await supervisor.close();
    await this.discovery.close();
    await this.access.end();
  }

  /** Those that have ended by themselves, or are outdated. */
  private deadExports(): string[] {
    const isDead = ([id, vblade]: [string, Vblade]) => this.outdated.has(id) || !isRunning(vblade);
    return [...this.known].filter((one) => this.specs.has(one[0]) && isDead(one)).map(([id]) => id);
  }

  private async restart(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const spec = this.specs.get(id);
      if (spec) await this.ensure(spec); // it may have been removed meanwhile
    });
  }

  private async noteInterfaceChange(identity: InterfaceIdentity): Promise<void> {
    this.interfaceChanges += 1;
    for (const [id, vblade] of this.known) if (isRunning(vblade)) this.outdated.add(id);
    await this.interfaceMemory.note(identity);
  }

  /** Exports that run since before the interface changed while no daemon watched it. */
  private async findOutdated(identity: InterfaceIdentity): Promise<void> {
    const since = await this.interfaceMemory.since(identity);
    const outdated = [...this.known].filter(([, { startTime }]) => startTime < since).map(([id]) => id);
    for (const id of outdated) this.outdated.add(id);
    if (outdated.length === 0) return;
    this.log.warn(`network interface ${this.options.interface} changed while no daemon ran: exports are started anew`, {
      exports: outdated.length,
      identity,
    });
  }

  /** Closed first: a vblade whose storage hangs may not die. */
  private async end(id: string): Promise<void> {
    const known = this.known.get(id);
    const addresses = this.filtered.of(id);
    for (const address of addresses) await this.access.close(address);
    for (const supervisor of this.ready) await supervisor.stop(id);
    if (known) await endVblade(id, known, this.processes); // its lock file was deleted by somebody
    this.known.delete(id);
    this.outdated.delete(id);
    for (const address of addresses) await this.removeFilter(address);
  }

  /** The access filter admits the hosts of the export alone. Throws NoAccessFilter. */
  private async admit({ id, address, hosts }: ExportSpec): Promise<void> {
    await this.access.admit(address, hosts);
    this.filtered.assign(address, id);
  }

  private formerAddresses({ id, address }: ExportSpec): string[] {
    return this.filtered.of(id).filter((one) => one !== address);
  }

  /** Removes the filters of addresses that the export had before. Throws NoAccessFilter. */
  private async removeFormer(spec: ExportSpec): Promise<void> {
    for (const former of this.formerAddresses(spec)) await this.removeFilter(former);
  }

  private async removeFilter(address: string): Promise<void> {
    await this.access.remove(address);
    this.filtered.release(address);
  }

  /** Throws AddressInUse where another machine answers at an address that the export has not had before. */
  private async refuseForeign({ id, address }: ExportSpec, known: Vblade | undefined): Promise<void> {
    if (known && parseArguments(known.args)?.address === address) return;
    const foreign = await this.foreignHost(address);
    if (foreign !== undefined) throw errors.addressInUse(id, address, foreign);
  }

  /** Returns the Ethernet address of another machine that answers at an address. */
  private async foreignHost(address: string): Promise<string | undefined> {
    const own = ownEthernetAddresses();
    const answers = await this.discovery.address(address, foreignAnswerMs);
    return answers.find(({ host }) => !own.has(host))?.host;
  }

  /**
   * A vblade of this machine that no supervisor has would answer beside the export. One of the same volume is ended: somebody deleted
   * its lock file. Throws AddressInUse for another one.
   */
  private async clearAddress({ id, address, path }: ExportSpec): Promise<void> {
    for (const vblade of await this.local.at(address, this.options.interface)) {
      if (await this.isSupervised(id, vblade)) continue;
      const exported = vblade.args.at(-1) ?? '';
      if (exported !== path) {
        throw errors.addressServedHere(id, address, { pid: vblade.pid, path: exported });
      }
      this.log.warn('export had lost its lock file and is started anew', { volume: id, pid: vblade.pid });
      await endVblade(id, vblade, this.processes);
    }
  }

  /** Repeated: filters can be removed, and vblades be started by hand. */
  private async check(): Promise<string[]> {
    await this.beside.find([...this.specs.values()]);
    return this.access.check();
  }

  private async isOurs(id: string, vblade: Vblade): Promise<boolean> {
    return vblade.pid === this.known.get(id)?.pid || (await this.isSupervised(id, vblade));
  }

  private async isSupervised(id: string, { pid }: Vblade): Promise<boolean> {
    const found = await Promise.all(this.ready.map((supervisor) => supervisor.find(id)));
    return found.some((vblade) => vblade?.pid === pid);
  }

  /**
   * Returns the hosts of exports by address: of those that run, and of those that systemd starts again by itself. It may be about to, and
   * would not wait for a filter.
   */
  private async accessOfExports(): Promise<Map<string, readonly string[]>> {
    const access = new Map<string, readonly string[]>();
    this.filtered.clear();
    const note = (id: string, args: readonly string[]) => {
      const parsed = parseArguments(args);
      if (!parsed) return;
      access.set(parsed.address, parsed.hosts);
      this.filtered.assign(parsed.address, id);
    };
    const configured = await Promise.all(this.ready.map((supervisor) => supervisor.configured()));
    for (const [id, args] of configured.flatMap((exports) => Array.from(exports))) note(id, args);
    // What runs is certain; a file can be left from before a power loss.
    for (const [id, { args }] of this.known) note(id, args);
    return access;
  }

  /** Two exports of one number would mix two volumes' data. One of this volume under another number is ended: it may be in the way. */
  private async refuseTaken({ id, address }: ExportSpec): Promise<void> {
    for (const [other, vblade] of this.known) {
      if (other === id || parseArguments(vblade.args)?.address !== address || !isRunning(vblade)) continue;
      await this.end(id);
      throw errors.exportFailed(id, `${address} is still exported for volume ${other}`);
    }
  }

  /** One that died or must change makes way. The first supervisor replaces its own; the others' are ended here. */
  private async clearWay(id: string, known: Vblade): Promise<void> {
    if (isRunning(known)) {
      this.log.info('export is replaced, its options or its interface have changed', { volume: id, pid: known.pid });
    } else {
      this.log.warn('export had died and is started again', { volume: id, pid: known.pid });
    }
    // A supervisor takes an outdated one for right: it has the right arguments.
    const isOutdated = this.outdated.has(id);
    for (const supervisor of isOutdated ? this.ready : this.ready.slice(1)) await supervisor.stop(id);
    if (isOutdated) await endVblade(id, known, this.processes); // its lock file was deleted by somebody
    this.outdated.delete(id);
  }

  private async findOurs(): Promise<Map<string, Vblade>> {
    const found = await Promise.all(this.ready.map((supervisor) => supervisor.findAll()));
    return new Map(found.flatMap((exports) => Array.from(exports)));
  }

  private async makeSupervisors(): Promise<readonly [Supervisor, ...Supervisor[]]> {
    const options = {
      directory: this.directory,
      interface: this.options.interface,
      asRoot: await needsSudo(this.options.interface, this.processes),
      tries: this.options.numShellTries,
    };
    const detached = new DetachedSupervisor(options, this.processes);
    const systemd = new SystemdSupervisor(options, this.processes);
    if (this.options.supervisor === 'systemd') return [systemd, detached];
    if (!(await SystemdSupervisor.isAvailable(options, this.processes))) return [detached];
    return this.options.supervisor === 'detached' ? [detached, systemd] : [systemd, detached];
  }

  private get directory(): string {
    return join(this.options.stateDir, 'exports');
  }

  private get ready(): readonly [Supervisor, ...Supervisor[]] {
    if (!this.supervisors) throw new Error('AoeTarget: setup() comes first');
    return this.supervisors;
  }
}
