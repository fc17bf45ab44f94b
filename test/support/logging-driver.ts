import { isDeepStrictEqual } from 'node:util';
import type { CreateOptions, VolumeDriver, VolumeSpec } from '../../lib/drivers/driver.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import type { CopyOptions, SnapshotSpec, Snapshots } from '../../lib/drivers/snapshots.ts';

type Action =
  | Exclude<keyof VolumeDriver, 'name' | 'pool' | 'capabilities' | 'localPath' | 'snapshots'>
  | keyof Snapshots;

/**
 * A verb of a volume has its fields as parameters, one of a snapshot the fields of that; what a copy is made from is its `source` or
 * `snapshot`. Other verbs have none.
 */
type Parameters = Partial<VolumeSpec & SnapshotSpec & { source: VolumeSpec; snapshot: SnapshotSpec }>;

/** A call of a driver. */
export interface LoggedCall {
  action: Action;
  parameters: Parameters;
}

/** The fake driver, with a log of each call from outside and its parameters: the LoggingVolumeDriver of the 2010 code. */
export class LoggingDriver implements VolumeDriver {
  readonly name = 'fake';
  readonly pool = 'fake';
  readonly capabilities;
  readonly snapshots: Snapshots;
  private readonly driver = new FakeDriver();
  private logs: LoggedCall[] = [];

  constructor() {
    const { capabilities, snapshots } = this.driver;
    this.capabilities = capabilities;
    this.snapshots = {
      createSnapshot: (snapshot) => this.logged('createSnapshot', snapshot, () => snapshots.createSnapshot(snapshot)),
      createSnapshots: (all) => this.logged('createSnapshots', {}, () => snapshots.createSnapshots(all)),
      hasSnapshot: (snapshot) => this.logged('hasSnapshot', snapshot, () => snapshots.hasSnapshot(snapshot)),
      labelSnapshot: (snapshot) => this.logged('labelSnapshot', snapshot, () => snapshots.labelSnapshot(snapshot)),
      deleteSnapshot: (snapshot) => this.logged('deleteSnapshot', snapshot, () => snapshots.deleteSnapshot(snapshot)),
      listSnapshots: () => this.logged('listSnapshots', {}, () => snapshots.listSnapshots()),
      createFromSnapshot: (volume, snapshot, options) =>
        this.logged('createFromSnapshot', { ...volume, snapshot }, () =>
          snapshots.createFromSnapshot(volume, snapshot, options),
        ),
    };
  }

  /** In the order of the calls. */
  get allLogs(): readonly LoggedCall[] {
    return this.logs;
  }

  clearLogs(): void {
    this.logs = [];
  }

  /** Returns the calls of that action whose parameters have these fields with equal values. */
  logsLike(action: Action, fields: Parameters = {}): LoggedCall[] {
    const values = new Map<string, unknown>(Object.entries(fields));
    return this.logs.filter((call) => {
      const parameters = new Map<string, unknown>(Object.entries(call.parameters));
      return (
        call.action === action && [...values].every(([name, value]) => isDeepStrictEqual(parameters.get(name), value))
      );
    });
  }

  setup(): Promise<void> {
    return this.logged('setup', {}, () => this.driver.setup());
  }

  createVolume(volume: VolumeSpec, options?: CreateOptions) {
    return this.logged('createVolume', volume, () => this.driver.createVolume(volume, options));
  }

  hasVolume(volume: VolumeSpec): Promise<boolean> {
    return this.logged('hasVolume', volume, () => this.driver.hasVolume(volume));
  }

  ensureVolume(volume: VolumeSpec): Promise<void> {
    return this.logged('ensureVolume', volume, () => this.driver.ensureVolume(volume));
  }

  labelVolume(volume: VolumeSpec): Promise<void> {
    return this.logged('labelVolume', volume, () => this.driver.labelVolume(volume));
  }

  extendVolume(volume: VolumeSpec): Promise<void> {
    return this.logged('extendVolume', volume, () => this.driver.extendVolume(volume));
  }

  cloneVolume(volume: VolumeSpec, source: VolumeSpec, options?: CopyOptions) {
    return this.logged('cloneVolume', { ...volume, source }, () => this.driver.cloneVolume(volume, source, options));
  }

  deleteVolume(volume: VolumeSpec): Promise<void> {
    return this.logged('deleteVolume', volume, () => this.driver.deleteVolume(volume));
  }

  localPath(volume: VolumeSpec): string {
    return this.driver.localPath(volume);
  }

  listVolumes() {
    return this.logged('listVolumes', {}, () => this.driver.listVolumes());
  }

  stats() {
    return this.logged('stats', {}, () => this.driver.stats());
  }

  close(): Promise<void> {
    return this.logged('close', {}, () => this.driver.close());
  }

  private logged<T>(action: Action, parameters: Parameters, call: () => Promise<T>): Promise<T> {
    this.logs.push({ action, parameters: structuredClone(parameters) });
    return call();
  }
}
