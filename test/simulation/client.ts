import { setTimeout as pause } from 'node:timers/promises';
import { BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { cancelMigration } from '../../lib/client/cancel-migration.ts';
import { declareLost } from '../../lib/client/declare-lost.ts';
import { setClosed } from '../../lib/client/drain.ts';
import { removeQuota, setQuota } from '../../lib/client/quotas.ts';
import { connect } from '../../lib/redis/connection.ts';
import type { Attachment } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { acquireLease } from '../../lib/redis/scripts.ts';
import { Store } from '../../lib/redis/store.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { SimulatedHost } from './host.ts';
import { type Joined, joinedWith } from './joined.ts';
import type { Model } from './model.ts';
import { attachInSteps, detachOne, isShared } from './attachments.ts';
import { leaveGroup, removedTogether, snapshotTogether } from './groups.ts';
import { type Cluster, simulatedFlags } from './node.ts';
import type { Random } from './random.ts';
import { makeType, removeType, typeFor } from './types.ts';
import { VirtualProcess } from './virtual-process.ts';

const deadline = { deadlineMs: 120_000 };
/** What says nothing about whether the request was carried out, or will be. */
const uncertainCodes = new Set(['RedisUnreachable', 'NotReplicated', 'NotFinished', 'Internal']);

export interface ClientOptions {
  random: Random;
  cluster: Cluster;
  model: Model;
  snapshots: Model;
  log: Log;
  /** The machine it runs on. */
  host: SimulatedHost;
  hosts: readonly SimulatedHost[];
  /** Where volumes can be made, and moved to. */
  places: readonly string[];
  /** Part of the requests that are migrations in any case. */
  migrations: number;
  count: (what: string) => void;
}

/** Somebody who makes, attaches, detaches and deletes volumes, some of them twice, as fast as chance has it. */
export class SimulatedClient {
  readonly process: VirtualProcess;
  private readonly options: ClientOptions;
  private joined: Joined | undefined;

  constructor(name: string, options: ClientOptions) {
    this.process = new VirtualProcess(name);
    this.options = options;
  }

  get store(): Store | undefined {
    return this.joined?.store;
  }

  start(): void {
    this.process.run(() => void this.join());
  }

  end(): void {
    this.process.die();
  }

  /** One random request, or more that go together. */
  act(most: number): void {
    const { random, model, places, migrations } = this.options;
    const ids = model.ids;
    const there = random.chance(0.9) ? ids.filter((one) => !model.known(one).deleted) : ids;
    const id = random.pick(there);
    if (id !== undefined && migrations > 0 && random.chance(migrations)) return this.migrate(id);
    const dice = random.next();
    if (id === undefined || (dice < 0.4 && there.length < most)) {
      const fresh = random.uuid();
      const [place, size] = [random.chance(0.3) ? random.pick(places) : undefined, random.between(0, 8)];
      for (let times = random.chance(0.1) ? 2 : 1; times > 0; times -= 1) this.create(fresh, size, place);
    } else if (dice < 0.46) this.snapshot(id);
    else if (dice < 0.5) this.deleteSnapshot(random.pick(this.options.snapshots.ids));
    else if (dice < 0.54) this.copy(id, there.length < most);
    else if (dice < 0.56) this.rename(id);
    else if (dice < 0.575) this.transfer(id);
    else if (dice < 0.578) this.limit();
    else if (dice < 0.583) this.removeType();
    else if (dice < 0.62) this.migrate(id);
    else if (dice < 0.7) {
      if (random.chance(0.5)) this.deleteAll(id);
      else this.delete(id);
      if (random.chance(0.1)) this.delete(id);
    } else if (dice < 0.8) this.attach(id);
    else if (dice < 0.82) this.attachInSteps(id);
    else if (dice < 0.84) this.snapshotTogether(id);
    else if (dice < 0.87) this.extend(id, random.between(1, 16));
    else this.detach(id);
  }

  /** Of an attached volume as well, mostly. */
  private snapshot(volume: string): void {
    const { random, snapshots } = this.options;
    const id = random.uuid();
    const known = snapshots.known(id);
    const request = { id, userId: 'user', projectId: `project${id.slice(0, 1)}`, force: random.chance(0.8) };
    this.request('snapshot', id, async (joined) => {
      try {
        await joined.snapshots.create(volume, request, deadline);
        known.made = true;
      } catch (error) {
        if (isUncertain(error)) known.uncertain = true;
        throw error;
      }
    });
  }

  private snapshotTogether(volume: string): void {
    const { random, snapshots } = this.options;
    const about = { group: random.uuid(), id: random.uuid(), snapshots };
    this.request('group snapshot', volume, (joined) => snapshotTogether(joined, volume, about));
  }

  deleteSnapshot(id: string | undefined): void {
    if (id !== undefined) this.request('delete snapshot', id, (joined) => this.removeSnapshot(joined, id));
  }

  private async removeSnapshot({ snapshots, ...joined }: Joined, id: string): Promise<void> {
    if (await removedTogether(joined, id, this.options.snapshots)) return;
    const known = this.options.snapshots.known(id);
    const wasMade = known.made;
    known.deleteAsked = true;
    try {
      await snapshots.delete(id, deadline);
      known.deleted = true;
    } catch (error) {
      if (error instanceof BlockstoreError && error.code === 'SnapshotNotFound' && wasMade) known.deleted = true;
      throw error;
    }
  }

  /** A volume with the data of another one, or of a snapshot, also on another node. */
  private copy(source: string, hasPlace: boolean): void {
    if (!hasPlace) return;
    const { random, snapshots, places } = this.options;
    const snapshot = random.chance(0.5) ? random.pick(snapshots.ids) : undefined;
    const origin = snapshot === undefined ? { fromVolume: source } : { fromSnapshot: snapshot };
    const place = random.chance(0.4) ? random.pick(places) : undefined;
    this.create(random.uuid(), random.between(4, 16), place, origin);
  }

  /** With its snapshots. */
  private deleteAll(id: string): void {
    this.request('delete with snapshots', id, async (joined) => {
      const ids = await joined.store.read((redis) => redis.zrange(joined.store.keys.volumeSnapshots(id), '0', '-1'));
      try {
        for (const one of ids) await this.removeSnapshot(joined, one);
        await this.remove(joined, id);
      } catch (error) {
        if (!(error instanceof BlockstoreError) || error.code !== 'NodeLost') throw error;
        await this.removeFromLost(joined, id, ids);
      }
    });
  }

  private async removeFromLost(joined: Joined, id: string, snapshots: readonly string[]): Promise<void> {
    const known = snapshots.map((one) => this.options.snapshots.known(one));
    for (const one of known) one.deleteAsked = true;
    this.options.model.known(id).snapshotsAsked = true;
    await this.remove(joined, id, { withSnapshots: true });
    for (const one of known) one.deleted = true;
    this.options.count('volume deleted with its snapshots, its node lost');
  }

  private rename(id: string): void {
    const changes = { name: `name ${this.options.random.between(1, 9)}`, metadata: { renamed: 'yes' } };
    this.request('rename', id, async ({ commands }) => void (await commands.update(id, changes, deadline)));
  }

  /** An operator limits a project, also below what it has, or no longer. */
  private limit(): void {
    const { random } = this.options;
    const project = `project${random.between(0, 9)}`;
    const limits = {
      volumes: random.between(0, 5),
      bytes: sizeInBytes(random.between(1, 40)),
      snapshots: random.between(0, 3),
    };
    if (random.chance(0.5)) this.request('limit', project, ({ store }) => setQuota(store, project, limits));
    else this.request('limit no more', project, ({ store }) => removeQuota(store, project));
  }

  private removeType(): void {
    const which = this.options.random.between(0, 1);
    this.request('remove type', `${which}`, ({ store }) => removeType(store, which));
  }

  /** To another project, which mostly accepts it. What nobody accepts expires. */
  private transfer(id: string): void {
    const { random } = this.options;
    const receiver = { userId: 'other', projectId: `project${random.between(0, 9)}` };
    const request = { withSnapshots: random.chance(0.7), lengthMs: random.between(1, 60) * 60_000 };
    const fate = random.next();
    this.request('transfer', id, async ({ transfers }) => {
      const { transfer, key } = await transfers.create(id, request);
      if (fate < 0.7) await transfers.accept(transfer.id, key, receiver, deadline);
      else if (fate < 0.85) await transfers.delete(transfer.id);
    });
  }

  /** One that has snapshots, or is attached, mostly loses them first; half of the time it is attached, or stays so. */
  private migrate(id: string): void {
    const { random, places } = this.options;
    const to = random.chance(0.5) ? random.pick(places) : undefined;
    const [isPrepared, staysAttached] = [random.chance(0.8), random.chance(0.5)];
    const instanceId = `i-${random.between(1, 9)}`;
    this.request('migrate', id, async (joined) => {
      if (isPrepared) await this.strip(joined, id, staysAttached);
      if (staysAttached && (await volumesOf(joined.store).lookup(id)).attachStatus === 'detached') {
        await joined.commands.attach(id, { instanceId, mountpoint: '/dev/vdb' }, deadline);
      }
      const { attachStatus } = await joined.migrations.migrate(id, to === undefined ? {} : { to }, deadline);
      this.options.count(attachStatus === 'attached' ? 'attached volume migrated' : 'volume migrated');
    });
    if (random.chance(0.3)) this.cancel(id, random.between(0, 3000));
  }

  private cancel(id: string, afterMs: number): void {
    this.request('cancel', id, async (joined) => {
      await pause(afterMs);
      await cancelMigration(joined, id, deadline);
    });
  }

  private async strip(joined: Joined, id: string, staysAttached: boolean): Promise<void> {
    const { store } = joined;
    const ids = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(id), '0', '-1'));
    for (const one of ids) await this.removeSnapshot(joined, one);
    if (staysAttached || (await volumesOf(store).lookup(id)).attachStatus !== 'attached') return;
    await detachOne(joined, id, { which: 0, hosts: this.options.hosts });
  }

  /** A node takes no volumes until it is opened again. */
  close(node: string, isClosed: boolean): void {
    this.request(isClosed ? 'close' : 'open', node, ({ store }) => setClosed(store, node, isClosed));
  }

  create(id: string, size: number, node?: string, origin: { fromVolume?: string; fromSnapshot?: string } = {}): void {
    const { model } = this.options;
    const named = id < '8' ? { name: `name ${id.slice(0, 4)}` } : {};
    const known = model.known(id);
    const projectId = `project${id.slice(0, 1)}`;
    const type = typeFor(id);
    const more = { isMultiattach: isShared(id), ...(type === undefined ? {} : { type }) };
    const newVolume = { id, size, userId: 'user', projectId, ...more, ...named, ...origin };
    this.request('create', id, async ({ store, commands }) => {
      if (type !== undefined) await makeType(store, type);
      try {
        await commands.create(node === undefined ? newVolume : { ...newVolume, node }, deadline);
        known.made = true;
        // It may have made the volume anew.
        if (known.deleted) known.uncertain = true;
      } catch (error) {
        if (isUncertain(error)) known.uncertain = true;
        throw error;
      }
    });
  }

  delete(id: string): void {
    this.request('delete', id, (joined) => this.remove(joined, id));
  }

  private async remove(
    { commands, ...joined }: Joined,
    id: string,
    more: { withSnapshots?: true } = {},
  ): Promise<void> {
    const known = this.options.model.known(id);
    const wasMade = known.made;
    known.deleteAsked = true;
    try {
      await leaveGroup(joined, id);
      await commands.delete(id, { ...deadline, ...more });
      known.deleted = true;
    } catch (error) {
      if (error instanceof BlockstoreError && error.code === 'VolumeNotFound' && wasMade) known.deleted = true;
      throw error;
    }
  }

  attach(id: string): void {
    const { random, host } = this.options;
    const instanceId = `i-${random.between(1, 99)}`;
    const mode: 'rw' | 'ro' = random.chance(0.2) ? 'ro' : 'rw';
    const attachment = { instanceId, mountpoint: '/dev/vdb', mode };
    if (random.chance(0.3)) {
      this.request('attach', id, async ({ commands }) => void (await commands.attach(id, attachment, deadline)));
      return;
    }
    const here = { ...attachment, hostId: host.address, hosts: [host.address] };
    this.request('attach by a host', id, async (joined) => {
      const isMoved = await this.connect(joined, id, here);
      if (isMoved && (await this.connect(joined, id, here)))
        throw new Error(`the address of ${id} changes all the time`);
    });
  }

  /** Returns whether the volume has another address now, so that its host has to look there first. */
  private async connect({ commands, store }: Joined, id: string, attachment: Attachment): Promise<boolean> {
    const { host } = this.options;
    const { address } = await volumesOf(store).lookup(id);
    try {
      await host.connect(id, address, () => commands.attach(id, attachment, { ...deadline, examined: address }));
      return false;
    } catch (error) {
      if (!isUncertain(error)) host.attachFailed(id);
      if (error instanceof BlockstoreError && error.code === 'AddressChanged') return true;
      throw error;
    }
  }

  private attachInSteps(id: string): void {
    const { random } = this.options;
    const steps = { instanceId: `i-${random.between(1, 99)}`, fate: random.next() };
    this.request('attach in steps', id, (joined) => attachInSteps(joined, id, steps));
  }

  extend(id: string, size: number): void {
    this.request('extend', id, async ({ commands }) => void (await commands.extend(id, size, deadline)));
  }

  /** Other hosts keep the device, and sometimes this one. */
  detach(id: string): void {
    const { random, host, hosts } = this.options;
    const isForced = random.chance(0.2);
    const which = random.between(0, 9);
    this.request('detach', id, async (joined) => {
      if (!isForced) host.disconnect(id);
      await detachOne(joined, id, { which, hosts });
    });
  }

  /** An operator gives a node up. */
  lose(node: string): void {
    this.request('lose', node, async ({ store, topic }) => void (await declareLost(store, node, { topic })));
  }

  /** A second daemon of the same name, with a state directory of its own, that does nothing with it. */
  impersonate(node: string): void {
    const { cluster, random } = this.options;
    const incarnation = random.uuid().slice(0, 8);
    const leaseMs = cluster.downS * 1000;
    this.request('impersonate', node, async ({ store }) => {
      await acquireLease(store, { node, holder: 'impostor', leaseMs, incarnation, tokenBefore: '' });
    });
  }

  /** Returns the differences of a node, one line each. */
  async findings(node: string): Promise<string[]> {
    const result = await this.joined?.nodes.audit(node, { repair: false, remove: [] }, deadline);
    return result?.findings.map(({ object, what }) => `${object} ${what}`) ?? [];
  }

  /** An operator compares records and storage of a node. */
  audit(node: string, { repair }: { repair: boolean }): void {
    this.request('audit', node, async ({ nodes }) => {
      await nodes.audit(node, { repair, remove: [] }, deadline);
    });
  }

  private request(what: string, id: string, work: (joined: Joined) => Promise<void>): void {
    const { joined } = this;
    if (!joined) return;
    const { log, count } = this.options;
    this.process.run(() => {
      log.info(`asks: ${what} ${id}`);
      void work(joined).then(
        () => {
          count(what);
          log.info(`has: ${what} ${id}`);
        },
        (thrown: unknown) => {
          const { code, message } = asError(thrown);
          count(`${what} refused`);
          log.info(`has not: ${what} ${id}: ${code} ${message}`);
        },
      );
    });
  }

  private async join(): Promise<void> {
    const { cluster, log } = this.options;
    const flags = simulatedFlags(this.process.name, cluster);
    const connection = await connect(flags, log);
    const store = new Store(connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas });
    this.joined = joinedWith(store, flags.volume_topic);
  }
}

function isUncertain(error: unknown): boolean {
  return !(error instanceof BlockstoreError) || uncertainCodes.has(error.code);
}
