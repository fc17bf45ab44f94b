import { auditRecords } from '../../lib/audit/records.ts';
import { auditReferences } from '../../lib/audit/references.ts';
import { declareLost } from '../../lib/client/declare-lost.ts';
import type { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { asError } from '../../lib/errors.ts';
import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { everyNode, lookupNode } from '../../lib/models/node.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { pairsOf } from '../../lib/redis/pairs.ts';
import type { Store } from '../../lib/redis/store.ts';
import { Cluster } from '../support/cluster.ts';
import { FakeTarget } from '../support/fake-target.ts';
import { FaultyDriver } from '../support/faulty-driver.ts';
import { until } from '../support/until.ts';
import { identityReads, makeIdentity } from './identity.ts';
import { makeKinds } from './kinds-of-volumes.ts';

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 120_000 };
/** A command that a damaged topic swallows would come with a report; here nobody reports meanwhile. */
const auditDeadline = { deadlineMs: 30_000 };

/** A small cluster that has a key of every kind, and whose reports come when a test says so. */
export class DamagePlace {
  readonly store: Store;
  private readonly cluster: Cluster;
  private readonly commands: VolumeCommands;
  private readonly nodeCommands: NodeCommands;
  private readonly ticks: readonly (() => Promise<void>)[];
  private readonly release: () => void;
  private readonly isFenced: () => boolean;
  private readonly attachedId: string;
  private readonly token: string;

  static async start(): Promise<DamagePlace> {
    const cluster = await Cluster.start();
    const ticks: (() => Promise<void>)[] = [];
    const driver = new FaultyDriver(new FakeDriver());
    let fenced = false;
    const flags = { ...cluster.flags({ storage_name: 'n1', node_down_time: '600' }), report_interval: 0 };
    await cluster.node(
      'n1',
      {},
      { driver, target: new FakeTarget() },
      {
        flags,
        onFenced: () => {
          fenced = true;
        },
        everySecond: (tick) => {
          ticks.push(tick);
          return { destroy: () => {} };
        },
      },
    );
    const lost = await cluster.node('n2', {}, { target: new FakeTarget() });
    const [store, commands, nodeCommands] = [
      await cluster.store(),
      await cluster.commands(),
      await cluster.nodeCommands(),
    ];
    const on = (node: string, name: string) => commands.create({ ...newVolume, node, name }, deadline);
    const [data, attached, leaving, , left] = [
      await on('n1', 'data'),
      await on('n1', 'attached'),
      await on('n1', 'leaving'),
      await on('n2', 'kept'),
      await on('n2', 'left'),
    ];
    await commands.attach(attached.id, { instanceId: 'i-1', mountpoint: '/dev/vdb' }, deadline);
    const snapshots = new SnapshotCommands(store, new RequestClient(store), flags.volume_topic);
    const owner = { userId: 'user', projectId: 'project' };
    await snapshots.create(data.id, { ...owner, name: 'snapshot' }, deadline);
    const gone = await on('n1', 'gone');
    await commands.delete(gone.id, deadline); // its address is in quarantine
    await lost.stop();
    await declareLost(store, 'n2', { topic: flags.volume_topic });
    await commands.delete(left.id, deadline);
    const token = await makeIdentity(store);
    await makeKinds(store, commands);
    const release = driver.holdOnce('deleteVolume');
    await commands.delete(leaving.id);
    await until(async () => (await store.redis.xlen(store.keys.topic('volume.n1'))) === 0, 'the command is read');
    const place = new DamagePlace({
      cluster,
      store,
      commands,
      nodeCommands,
      ticks,
      release,
      isFenced: () => fenced,
      attachedId: attached.id,
      token,
    });
    await place.report();
    return place;
  }

  private constructor(parts: {
    cluster: Cluster;
    store: Store;
    commands: VolumeCommands;
    nodeCommands: NodeCommands;
    ticks: readonly (() => Promise<void>)[];
    release: () => void;
    isFenced: () => boolean;
    attachedId: string;
    token: string;
  }) {
    this.cluster = parts.cluster;
    this.store = parts.store;
    this.commands = parts.commands;
    this.nodeCommands = parts.nodeCommands;
    this.ticks = parts.ticks;
    this.release = parts.release;
    this.isFenced = parts.isFenced;
    this.attachedId = parts.attachedId;
    this.token = parts.token;
  }

  /** One report of n1, with its upkeep. */
  async report(): Promise<void> {
    for (const tick of this.ticks) await tick();
  }

  /** What an audit reports, one line each, and what it says that it did not examine. */
  async audit({ repair }: { repair: boolean }): Promise<{ found: string[]; notExamined: string[] }> {
    const inRedis = await Array.fromAsync(auditRecords(this.store, { repair }));
    const ofNode = await this.nodeCommands
      .audit('n1', { repair, remove: [] }, auditDeadline)
      .catch((error: unknown) => ({ findings: [], notExamined: [asError(error).code], notCompared: [] }));
    const { findings, notExamined, notCompared } = ofNode;
    const ofReferences = await Array.fromAsync(auditReferences(this.store, { repair }));
    return {
      found: [...inRedis, ...findings, ...ofReferences].map(({ object, what }) => `${object} ${what}`),
      notExamined: [...notExamined, ...notCompared.map(({ object }) => object)],
    };
  }

  /** Every key without what changes by itself, and without what is empty. */
  async state(): Promise<Map<string, string>> {
    const { redis, keys } = this.store;
    const state = new Map<string, string>();
    for (const key of await redis.keys('*')) {
      const name = key.slice(keys.prefix.length);
      const text = await this.content(name);
      if (text !== undefined) state.set(name, text);
    }
    return state;
  }

  private async content(name: string): Promise<string | undefined> {
    const { redis, keys } = this.store;
    const key = keys.prefix + name;
    switch (await redis.type(key)) {
      case 'hash': {
        const hash = await redis.hgetall(key);
        if (name.startsWith('node:')) for (const field of ['reportTime', 'token', 'createTime']) delete hash[field];
        const fields = Object.keys(hash).toSorted();
        return fields.map((field) => `${field}=${hash[field]}`).join(' ');
      }
      case 'zset':
        if (name === 'free-space') {
          // Placement passes over the backend of a lost node, whether it is listed or not.
          const entries = pairsOf(await redis.zrange(key, '0', '-1', 'WITHSCORES'));
          return JSON.stringify(entries.filter(([backend]) => !backend.startsWith('n2@')));
        }
        return JSON.stringify(
          /^nodes$|:quarantine$/.test(name)
            ? await redis.zrange(key, '0', '-1')
            : await redis.zrange(key, '0', '-1', 'WITHSCORES'),
        );
      case 'stream':
        return (await redis.xlen(key)) === 0 ? undefined : 'commands';
      case 'string':
        return String(await redis.get(key));
      default:
        return undefined;
    }
  }

  /** What commands answer in place of a result: errors that are no errors of the catalogue. */
  async internalErrors(): Promise<string[]> {
    const { store, commands } = this;
    const ids = (await this.store.redis.keys('*:volume:*')).map((key) => key.split(':').at(-1) ?? '');
    const snapshotIds = (await this.store.redis.keys('*:snapshot:*')).map((key) => key.split(':').at(-1) ?? '');
    const unattached = ids.filter((id) => id !== this.attachedId);
    const reads: (() => Promise<unknown>)[] = [
      () => Array.fromAsync(volumesOf(store).iterate(store.keys.volumes())),
      () => volumesOf(store).count(store.keys.volumes()),
      () => everyNode(store),
      () => lookupNode(store, 'n1'),
      () => lookupNode(store, 'n2'),
      () => findVolume(store, 'data'),
      () => findVolume(store, '00000000'),
      () => Array.fromAsync(snapshotsOf(store).iterate(store.keys.snapshots())),
      () => snapshotsOf(store).count(store.keys.snapshots()),
      () => findSnapshot(store, 'snapshot'),
      () => findSnapshot(store, '00000000'),
      ...snapshotIds.map((id) => () => snapshotsOf(store).find(id)),
      ...ids.map((id) => () => volumesOf(store).find(id)),
      ...unattached.map((id) => () => commands.detach(id)),
      ...identityReads(store, this.token),
      () => commands.create({ ...newVolume, node: 'n1@nosuch' }),
      () => commands.create({ ...newVolume, size: 1000, node: 'n2' }),
    ];
    const codes = await Promise.all(
      reads.map((read) =>
        read().then(
          () => '',
          (error: unknown) => (asError(error).code === 'Internal' ? String(error) : ''),
        ),
      ),
    );
    return codes.filter((text) => text !== '');
  }

  get hasEnded(): boolean {
    return this.isFenced();
  }

  async close(): Promise<void> {
    this.release();
    await this.cluster.close();
  }
}
