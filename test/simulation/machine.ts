import { shelfOf } from '../../lib/aoe/address.ts';
import { type Capabilities, noCapabilities } from '../../lib/drivers/capabilities.ts';
import type {
  CreatedVolume,
  DeleteOptions,
  DriverStats,
  FoundVolume,
  VolumeDriver,
  VolumeSpec,
} from '../../lib/drivers/driver.ts';
import { errors } from '../../lib/errors.ts';
import { NoneTarget } from '../../lib/targets/none/target.ts';
import type { ExportSpec, FoundExport, SeenAddress, Target, TargetProblem } from '../../lib/targets/target.ts';
import { FakeMachineSnapshots, type StoredSnapshot } from './machine-snapshots.ts';
import { VirtualProcess, outside } from './virtual-process.ts';

export interface Stored {
  volume: VolumeSpec;
  /** All that a create makes is there. */
  whole: boolean;
  /** Usable, until the power goes. */
  active: boolean;
  /** Which data it has: a later number for later data. */
  version: number;
}

/** What is on the storage that all machines reach. */
export interface SharedStorage {
  stored: Map<string, Stored>;
  snapshots: Map<string, StoredSnapshot>;
}

const momentMs = 400;

/** What a machine asks of the simulation around it. */
export interface MachineWorld {
  /** How long an effect takes, in milliseconds. */
  latency: () => number;
  /** What goes wrong with an effect, before it or after it, if anything does. */
  fault: (what: string) => { error: Error; after: boolean } | undefined;
  /** Storage is about to be removed. */
  onRemove: (machine: FakeMachine, id: string, unused: boolean) => void;
  onRemoveSnapshot: (machine: FakeMachine, id: string, of: { unused: boolean; volume: string }) => void;
  /**
   * Whether Redis has lost changes since the volume was made: then two may have one address, and the second export is refused, as by
   * the real target. At other times it is let through, to be noticed.
   */
  isDoubtful: (id: string) => boolean;
  /** What runs in place of an export. */
  tamper: (spec: ExportSpec) => ExportSpec;
  /** Data of a migration arrive. */
  onReceive: (from: FakeMachine, to: FakeMachine, sent: { volume: string; path: string }) => void;
  /** Data of this version are used by hosts; returns the version that they have from then on. */
  onUse: (machine: string, spec: ExportSpec, version: number) => number;
  /** An export began. */
  onExport: (machine: string, spec: ExportSpec, owner: VirtualProcess | undefined) => void;
  /** What else answers on the wire, and arrives. */
  wire: (machine: string) => readonly SeenAddress[];
}

export interface MachineOptions {
  /** Of its node. */
  name: string;
  /** The backend that this storage is. */
  backend: string;
  totalBytes: number;
  world: MachineWorld;
  /** On the wire, from this backend and the others of its node. */
  exports?: Map<string, ExportSpec>;
  /** In place of its own storage. */
  shared?: SharedStorage;
}

/**
 * A storage node's machine, as one backend sees it: what is on its disk and on the wire, whatever becomes of its daemon. An effect that
 * was begun happens although the daemon dies meanwhile, or only half of it does.
 */
export class FakeMachine {
  readonly name: string;
  readonly backend: string;
  readonly stored: Map<string, Stored>;
  readonly snapshots: Map<string, StoredSnapshot>;
  /** Whether its storage is that of all machines, and nothing is exported. */
  readonly isShared: boolean;
  readonly exports: Map<string, ExportSpec>;
  readonly world: MachineWorld;
  readonly totalBytes: number;

  constructor({ name, backend, totalBytes, world, exports, shared }: MachineOptions) {
    this.name = name;
    this.backend = backend;
    this.exports = exports ?? new Map();
    this.isShared = shared !== undefined;
    this.stored = shared?.stored ?? new Map();
    this.snapshots = shared?.snapshots ?? new Map();
    this.totalBytes = totalBytes;
    this.world = world;
  }

  get driver(): VolumeDriver {
    return new FakeMachineDriver(this);
  }

  get target(): Target {
    return this.isShared ? new NoneTarget() : new FakeMachineTarget(this);
  }

  pathOf(kind: 'volume' | 'snapshot', id: string): string {
    return `${this.backend}:${kind}-${id}`;
  }

  get usedBytes(): number {
    return [...this.stored.values()].reduce((sum, { volume }) => sum + volume.sizeBytes, 0);
  }

  /** What was only in memory is gone. */
  losePower(): void {
    this.exports.clear();
    if (this.isShared) return;
    for (const stored of this.stored.values()) stored.active = false;
  }

  /** Carries out effects one after the other, each after a while; the daemon learns of it if it still lives. */
  effect<T>(what: string, steps: readonly (() => void)[], result: () => T): Promise<T> {
    const owner = VirtualProcess.current;
    const fault = this.world.fault(what);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const tell = (work: () => void) => (owner ? owner.run(work) : work());
    const done = () => {
      if (fault) return tell(() => reject(fault.error));
      const value = result();
      tell(() => resolve(value));
    };
    const left = fault && !fault.after ? [] : [...steps];
    const next = () => {
      // A command ends within moments of the daemon that began it, before another one has started.
      if (performance.now() - (owner?.diedAt ?? Number.POSITIVE_INFINITY) > momentMs) return;
      const step = left.shift();
      if (!step) return done();
      try {
        step();
      } catch (error) {
        return tell(() => reject(error));
      }
      // What a dead daemon had begun ends here and there.
      if (owner?.dead && this.world.latency() % 2 === 0) return;
      outside(next, this.world.latency());
    };
    outside(next, this.world.latency());
    return promise;
  }
}

class FakeMachineDriver implements VolumeDriver {
  readonly name = 'fake';
  readonly pool = 'fake';
  readonly capabilities: Capabilities;
  readonly snapshots: FakeMachineSnapshots;
  private readonly machine: FakeMachine;

  constructor(machine: FakeMachine) {
    this.machine = machine;
    const shared = machine.isShared ? 'simulated:storage' : '';
    const migration = !machine.isShared;
    this.capabilities = {
      ...noCapabilities,
      snapshots: true,
      groupSnapshots: !machine.isShared,
      clones: true,
      extend: true,
      multiattach: true,
      images: migration,
      migration,
      shared,
    };
    this.snapshots = new FakeMachineSnapshots(machine, (what, volume, check) => this.create(what, volume, check));
  }

  async setup(): Promise<void> {}

  createVolume(volume: VolumeSpec): Promise<CreatedVolume> {
    return this.create('createVolume', volume);
  }

  cloneVolume(volume: VolumeSpec, source: VolumeSpec): Promise<CreatedVolume> {
    return this.create('cloneVolume', volume, () => {
      if (!this.machine.stored.get(source.id)?.whole) throw errors.storageMissing(source.id, this.localPath(source));
    });
  }

  /** `check` throws where the data that the volume begins with are not there. */
  private create(what: string, volume: VolumeSpec, check = () => {}): Promise<CreatedVolume> {
    const { machine } = this;
    const { stored } = machine;
    let isNew = true;
    const make = () => {
      isNew = !stored.has(volume.id);
      if (!isNew) return;
      check();
      const freeBytes = machine.totalBytes - machine.usedBytes;
      if (volume.sizeBytes > freeBytes) throw errors.noSpace(machine.name, volume.sizeBytes, freeBytes);
      stored.set(volume.id, { volume, whole: false, active: true, version: 0 });
    };
    const complete = () => {
      const found = stored.get(volume.id);
      if (found) stored.set(volume.id, { ...found, volume, whole: true });
    };
    return machine.effect(what, [make, complete], () => ({ fields: {}, isNew }));
  }

  hasVolume(volume: VolumeSpec): Promise<boolean> {
    return this.machine.effect('hasVolume', [], () => this.machine.stored.get(volume.id)?.whole ?? false);
  }

  ensureVolume(volume: VolumeSpec): Promise<void> {
    const activate = () => {
      const found = this.machine.stored.get(volume.id);
      if (!found?.whole) throw errors.storageMissing(volume.id, this.localPath(volume));
      found.active = true;
    };
    return this.machine.effect('ensureVolume', [activate], () => {});
  }

  labelVolume(volume: VolumeSpec): Promise<void> {
    const label = () => {
      const found = this.machine.stored.get(volume.id);
      if (!found) throw errors.storageMissing(volume.id, this.localPath(volume));
      const { labels } = volume;
      this.machine.stored.set(volume.id, { ...found, volume: { ...found.volume, labels } });
    };
    return this.machine.effect('labelVolume', [label], () => {});
  }

  extendVolume(volume: VolumeSpec): Promise<void> {
    const { machine } = this;
    const grow = () => {
      const found = machine.stored.get(volume.id);
      if (!found?.whole) throw errors.storageMissing(volume.id, this.localPath(volume));
      const { sizeBytes, size } = volume;
      const freeBytes = machine.totalBytes - machine.usedBytes + found.volume.sizeBytes;
      if (sizeBytes > freeBytes) throw errors.noSpace(machine.name, sizeBytes, freeBytes);
      if (sizeBytes <= found.volume.sizeBytes) return;
      machine.stored.set(volume.id, { ...found, volume: { ...found.volume, size, sizeBytes } });
    };
    return machine.effect('extendVolume', [grow], () => {});
  }

  deleteVolume(volume: VolumeSpec, options: DeleteOptions = {}): Promise<void> {
    const { machine } = this;
    const owner = VirtualProcess.current;
    const busy = () => {
      if (machine.exports.get(volume.id)?.path === this.localPath(volume))
        throw errors.volumeBusy(volume.id, 'it is exported');
      if (machine.stored.has(volume.id)) machine.world.onRemove(machine, volume.id, options.unused ?? false);
    };
    const wipe = () => owner?.run(() => options.progress?.(50));
    return machine.effect('deleteVolume', [busy, wipe, () => void machine.stored.delete(volume.id)], () => {});
  }

  localPath(volume: VolumeSpec): string {
    return this.machine.pathOf('volume', volume.id);
  }

  listVolumes(): Promise<FoundVolume[]> {
    return this.machine.effect('listVolumes', [], () =>
      [...this.machine.stored.values()]
        .filter(({ whole }) => whole)
        .map(({ volume: { id, sizeBytes, labels } }) => ({ id, sizeBytes, labels })),
    );
  }

  stats(): Promise<DriverStats> {
    const { totalBytes, usedBytes } = this.machine;
    return this.machine.effect('stats', [], () => ({
      totalBytes,
      freeBytes: totalBytes - usedBytes,
      volumeBytes: usedBytes,
      acceptsCreates: true,
    }));
  }

  async close(): Promise<void> {}
}

class FakeMachineTarget implements Target {
  readonly name = 'aoe';
  readonly addressing = 'aoe';
  readonly authentication = 'none';
  readonly endpoint = '';
  private readonly machine: FakeMachine;

  constructor(machine: FakeMachine) {
    this.machine = machine;
  }

  async setup(): Promise<void> {}

  ensureExport(spec: ExportSpec): Promise<void> {
    const { machine } = this;
    const owner = VirtualProcess.current;
    const before = machine.exports.get(spec.id);
    if (before && JSON.stringify(before) === JSON.stringify(spec)) return Promise.resolve();
    const begin = () => {
      const stored = machine.stored.get(spec.id);
      if (!stored?.active) throw errors.exportFailed(spec.id, 'its storage is not there');
      const taken = [...machine.exports.values(), ...machine.world.wire(machine.name)];
      if (machine.world.isDoubtful(spec.id) && taken.some(({ address }) => address === spec.address)) {
        throw errors.exportFailed(spec.id, `its address ${spec.address} is in use`);
      }
      machine.exports.set(spec.id, machine.world.tamper(spec));
      stored.version = machine.world.onUse(machine.name, spec, stored.version);
      machine.world.onExport(machine.name, spec, owner);
    };
    return machine.effect('ensureExport', [() => void machine.exports.delete(spec.id), begin], () => {});
  }

  resizeExport(spec: ExportSpec): Promise<void> {
    return this.ensureExport(spec);
  }

  removeExport(id: string): Promise<void> {
    return this.machine.effect('removeExport', [() => void this.machine.exports.delete(id)], () => {});
  }

  async listExports(): Promise<FoundExport[]> {
    return [...this.machine.exports.values()];
  }

  async listTraces(): Promise<string[]> {
    return [...this.machine.exports.keys()];
  }

  problems(): readonly TargetProblem[] {
    return [];
  }

  discover(shelves: readonly number[]): Promise<SeenAddress[]> {
    const { machine } = this;
    return machine.effect('discover', [], () =>
      machine.world.wire(machine.name).filter(({ address }) => shelves.includes(shelfOf(address))),
    );
  }

  async close(): Promise<void> {}
}
