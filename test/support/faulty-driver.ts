import type { Capabilities } from '../../lib/drivers/capabilities.ts';
import type {
  CreateOptions,
  CreatedVolume,
  DeleteOptions,
  DriverStats,
  FoundVolume,
  VolumeDriver,
  VolumeSpec,
} from '../../lib/drivers/driver.ts';
import type { CopyOptions, Snapshots } from '../../lib/drivers/snapshots.ts';

type Verb =
  | 'setup'
  | 'createVolume'
  | 'hasVolume'
  | 'ensureVolume'
  | 'labelVolume'
  | 'extendVolume'
  | 'deleteVolume'
  | 'listVolumes'
  | 'stats';

/** Any driver, with one call or another going wrong when a test says so; every other call goes through. */
export class FaultyDriver implements VolumeDriver {
  readonly name: string;
  readonly pool: string;
  readonly capabilities: Capabilities;
  readonly snapshots?: Snapshots;
  extendVolume?: (volume: VolumeSpec) => Promise<void>;
  cloneVolume?: (volume: VolumeSpec, source: VolumeSpec, options?: CopyOptions) => Promise<CreatedVolume>;
  private readonly driver: VolumeDriver;
  private readonly faults: { verb: Verb; meet: () => Promise<void> }[] = [];
  private readonly held = new Set<Verb>();

  constructor(driver: VolumeDriver) {
    this.driver = driver;
    this.name = driver.name;
    this.pool = driver.pool;
    this.capabilities = driver.capabilities;
    if (driver.snapshots) this.snapshots = driver.snapshots;
    if (driver.extendVolume) {
      this.extendVolume = async (volume) => {
        await this.meet('extendVolume');
        return driver.extendVolume?.(volume);
      };
    }
    if (driver.cloneVolume) this.cloneVolume = driver.cloneVolume.bind(driver);
  }

  /** The next call of `verb` throws `error`. */
  failOnce(verb: Verb, error: Error): void {
    this.faults.push({ verb, meet: () => Promise.reject(error) });
  }

  /** The next call of `verb` waits until what is returned is called, then does its work. */
  holdOnce(verb: Verb): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const meet = async () => {
      this.held.add(verb);
      await promise;
      this.held.delete(verb);
    };
    this.faults.push({ verb, meet });
    return resolve;
  }

  /** Whether a call waits because of holdOnce(). */
  isHeld(verb: Verb): boolean {
    return this.held.has(verb);
  }

  async setup(): Promise<void> {
    await this.meet('setup');
    return this.driver.setup();
  }

  async createVolume(volume: VolumeSpec, options?: CreateOptions): Promise<CreatedVolume> {
    await this.meet('createVolume');
    return this.driver.createVolume(volume, options);
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    await this.meet('hasVolume');
    return this.driver.hasVolume(volume);
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    await this.meet('ensureVolume');
    return this.driver.ensureVolume(volume);
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.meet('labelVolume');
    return this.driver.labelVolume(volume);
  }

  async whereabouts(volume: VolumeSpec): Promise<string | undefined> {
    return this.driver.whereabouts?.(volume);
  }

  async relabelCommand(volume: VolumeSpec): Promise<string | undefined> {
    return this.driver.relabelCommand?.(volume);
  }

  async deleteVolume(volume: VolumeSpec, options?: DeleteOptions): Promise<void> {
    await this.meet('deleteVolume');
    return this.driver.deleteVolume(volume, options);
  }

  localPath(volume: VolumeSpec): string {
    return this.driver.localPath(volume);
  }

  async listVolumes(): Promise<FoundVolume[]> {
    await this.meet('listVolumes');
    return this.driver.listVolumes();
  }

  async stats(): Promise<DriverStats> {
    await this.meet('stats');
    return this.driver.stats();
  }

  async close(): Promise<void> {
    await this.driver.close();
  }

  private async meet(verb: Verb): Promise<void> {
    const index = this.faults.findIndex((fault) => fault.verb === verb);
    const [fault] = index < 0 ? [] : this.faults.splice(index, 1);
    await fault?.meet();
  }
}
