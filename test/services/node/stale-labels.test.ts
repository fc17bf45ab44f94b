import test from 'ava';
import type { FoundVolume, Labels } from '../../../lib/drivers/driver.ts';
import type { FoundSnapshot, Snapshots } from '../../../lib/drivers/snapshots.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import { SharedDriver } from '../../support/shared-driver.ts';
import {
  type TransferPlace,
  deadline,
  newVolume,
  offer,
  owner,
  receiver,
  transferPlace,
} from '../../support/transfers.ts';

/** A driver that remembers labels, as that of Ceph does: another node on the same storage has changed them since. */
class RememberingDriver extends SharedDriver {
  private readonly storage: SharedDriver;
  private readonly remembered = new Map<string, Labels>();

  constructor(storage: SharedDriver) {
    super();
    this.storage = storage;
    Object.assign(this.snapshots, {
      listSnapshots: async () => this.remember(await storage.snapshots.listSnapshots()),
      readLabels: async ({ id }) => (await storage.snapshots.listSnapshots()).find((one) => one.id === id)?.labels,
    } satisfies Partial<Snapshots>);
  }

  override async listVolumes(): Promise<FoundVolume[]> {
    return this.remember(await this.storage.listVolumes());
  }

  override async hasVolume(volume: Parameters<SharedDriver['hasVolume']>[0]): Promise<boolean> {
    return this.storage.hasVolume(volume);
  }

  override async ensureVolume(volume: Parameters<SharedDriver['ensureVolume']>[0]): Promise<void> {
    return this.storage.ensureVolume(volume);
  }

  async readLabels(id: string): Promise<Labels | undefined> {
    return (await this.storage.listVolumes()).find((one) => one.id === id)?.labels;
  }

  private remember<T extends FoundVolume | FoundSnapshot>(found: T[]): T[] {
    return found.map((one) => {
      const labels = this.remembered.get(one.id) ?? one.labels;
      this.remembered.set(one.id, labels);
      return { ...one, labels };
    });
  }
}

let place: TransferPlace;
test.beforeEach(async () => {
  place = await transferPlace();
});
test.afterEach.always(() => place.cluster.close());

test.serial(
  'records are made again with the labels that another node has written since this one read them',
  async (t) => {
    const { cluster, store, volumes, snapshots, transfers, read } = place;
    const storage = new SharedDriver();
    const first = await cluster.node('n1', {}, { driver: storage });
    const { id } = await volumes.create({ ...newVolume, node: 'n1' }, deadline);
    const snapshot = await snapshots.create(id, owner, deadline);
    const second = new RememberingDriver(storage);
    await cluster.node('n2', {}, { driver: second });
    t.like((await second.listVolumes())[0]?.labels, { project: 'web' });
    await second.snapshots.listSnapshots();
    const { transfer, key } = await transfers.create(id, offer);
    await transfers.accept(transfer.id, key, receiver, deadline);
    await first.stop();
    await commit(store, {
      edits: [
        { kind: 'snapshot', id: snapshot.id, remove: true },
        { kind: 'volume', id, remove: true },
      ],
    });
    const nodes = await cluster.nodeCommands();
    const repair = () => nodes.audit('n2', { repair: true, remove: [] }, deadline);
    t.true((await repair()).findings.every(({ fixed }) => fixed));
    await repair(); // snapshots once their volume has a record
    t.like(await read(id), { ...receiver, node: 'n2', status: 'available' });
    t.like(await snapshotsOf(store).lookup(snapshot.id), { ...receiver, status: 'available' });
  },
);
