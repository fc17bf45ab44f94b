import { setTimeout as pause } from 'node:timers/promises';
import type { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { noCapabilities } from '../../lib/drivers/capabilities.ts';
import type {
  CreateOptions,
  CreatedVolume,
  DeleteOptions,
  DriverStats,
  FoundVolume,
  VolumeDriver,
  VolumeSpec,
} from '../../lib/drivers/driver.ts';
import { localData } from '../../lib/drivers/open-data.ts';
import type { Snapshots } from '../../lib/drivers/snapshots.ts';
import { errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { silentLog } from '../../lib/log.ts';
import { type Connection, type Redis, connect } from '../../lib/redis/connection.ts';
import { type ScriptAnswer, Store } from '../../lib/redis/store.ts';
import { NoneTarget } from '../../lib/targets/none/target.ts';
import { BlockStore } from '../../services/node/block-store.ts';
import { whenReachable } from './reachable.ts';

/** What a node has of the world: once it is dead, nothing goes through, in whichever line it was. */
class Life {
  over = false;

  check(): void {
    if (this.over) throw errors.redisUnreachable('the model', 'this node is dead');
  }
}

class MortalStore extends Store {
  private readonly life: Life;
  private readonly recordPrefix: string;

  constructor(connection: Connection, prefix: string, life: Life, options: { redis?: Redis } = {}) {
    super(connection, prefix, options);
    this.life = life;
    this.recordPrefix = prefix;
  }

  override async onOwnConnection(purpose: string): Promise<Store> {
    const redis = await this.connection.another({ purpose, hasTimeLimit: true });
    return new MortalStore(this.connection, this.recordPrefix, this.life, { redis });
  }

  override async run(...call: Parameters<Store['run']>): Promise<ScriptAnswer> {
    this.life.check();
    const answer = await super.run(...call);
    this.life.check();
    return answer;
  }

  override async read<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    this.life.check();
    return super.read(commands);
  }
}

/** Whether storage refuses to grow volumes at present. */
interface Growth {
  isRefused: boolean;
}

/** Storage that outlives its node, and takes its time, so that a death comes in the middle of it. */
class MortalDriver implements VolumeDriver {
  readonly name = 'fake';
  readonly pool = 'fake';
  readonly capabilities = { ...noCapabilities, extend: true, snapshots: true, groupSnapshots: true, images: true };
  readonly snapshots: Snapshots;
  private readonly driver: FakeDriver;
  private readonly life: Life;
  private readonly growth: Growth;

  constructor(driver: FakeDriver, life: Life, growth: Growth) {
    this.driver = driver;
    this.life = life;
    this.growth = growth;
    const { snapshots } = driver;
    const slowly = <T>(work: () => Promise<T>) => this.slowly(work);
    this.snapshots = {
      createSnapshot: (one) => slowly(() => snapshots.createSnapshot(one)),
      createSnapshots: (all) => slowly(() => snapshots.createSnapshots(all)),
      hasSnapshot: (one) => slowly(() => snapshots.hasSnapshot(one)),
      labelSnapshot: (one) => slowly(() => snapshots.labelSnapshot(one)),
      openSnapshot: (one) => slowly(async () => localData(`fake:snapshot-${one.id}`)),
      deleteSnapshot: (one) => slowly(() => snapshots.deleteSnapshot(one)),
      listSnapshots: () => snapshots.listSnapshots(),
      createFromSnapshot: (volume, one, options) => slowly(() => snapshots.createFromSnapshot(volume, one, options)),
    };
  }

  async setup(): Promise<void> {}

  async createVolume(volume: VolumeSpec, options?: CreateOptions): Promise<CreatedVolume> {
    return this.slowly(() => this.driver.createVolume(volume, options));
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    return this.slowly(() => this.driver.hasVolume(volume));
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    return this.slowly(() => this.driver.ensureVolume(volume));
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    return this.slowly(() => this.driver.labelVolume(volume));
  }

  async extendVolume(volume: VolumeSpec): Promise<void> {
    if (this.growth.isRefused) throw errors.invalidArgument('size', volume.sizeBytes, 'one that this storage has now');
    return this.slowly(() => this.driver.extendVolume(volume));
  }

  async deleteVolume(volume: VolumeSpec, _options?: DeleteOptions): Promise<void> {
    return this.slowly(() => this.driver.deleteVolume(volume));
  }

  localPath(volume: VolumeSpec): string {
    return this.driver.localPath(volume);
  }

  listVolumes(): Promise<FoundVolume[]> {
    return this.driver.listVolumes();
  }

  stats(): Promise<DriverStats> {
    return this.driver.stats();
  }

  async close(): Promise<void> {}

  private async slowly<T>(work: () => Promise<T>): Promise<T> {
    await pause(3);
    this.life.check();
    const result = await work();
    await pause(3);
    this.life.check();
    return result;
  }
}

/** A node that can die between any two lines and start again on what it left. */
export class MortalNode {
  readonly name: string;
  readonly storage: FakeDriver;
  private readonly growth: Growth = { isRefused: false };
  private readonly flags: Flags;
  private life = new Life();
  private node: BlockStore | undefined;
  private connection: Connection | undefined;
  private changing: Promise<void> = Promise.resolve();

  constructor(flags: Flags, storage: FakeDriver) {
    this.name = flags.storage_name;
    this.flags = flags;
    this.storage = storage;
  }

  /** One after the other: dying and starting again take a moment. */
  start(): Promise<void> {
    return this.inTurn(() => whenReachable(() => this.begin()));
  }

  crash(): Promise<void> {
    return this.inTurn(() => this.die());
  }

  /** Its storage refuses for so long. */
  async refuseGrowth(forMs: number): Promise<void> {
    this.growth.isRefused = true;
    await pause(forMs);
    this.growth.isRefused = false;
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    this.changing = this.changing.then(work);
    return this.changing;
  }

  private async begin(): Promise<void> {
    if (this.node) return;
    const life = new Life();
    const connection = await connect(this.flags, silentLog);
    const store = new MortalStore(connection, this.flags.redis_prefix, life);
    const backend = {
      name: 'fake',
      driver: new MortalDriver(this.storage, life, this.growth),
      target: new NoneTarget(),
    };
    const node = new BlockStore({ flags: this.flags, holder: 'test', store, backends: [backend], log: silentLog });
    try {
      await node.start();
    } catch (error) {
      life.over = true;
      await connection.close();
      throw error;
    }
    this.life = life;
    this.connection = connection;
    this.node = node;
  }

  private async die(): Promise<void> {
    if (!this.node) return;
    this.life.over = true;
    const { node, connection } = this;
    this.node = undefined;
    await connection?.close();
    // It cannot release its lease: that fails, as it should. What it held of this process is given back.
    await node.stop().catch(() => {});
  }
}
