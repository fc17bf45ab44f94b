import test from 'ava';
import { until } from '../support/until.ts';
import { StorageCluster } from './storage-cluster.ts';
import { Writer } from './writer.ts';

/** FLUSHALL on three running nodes with volumes in use. Daemons that exit are restarted, as with systemd. */

let cluster: StorageCluster;

test.before(async () => {
  const flags = { report_interval: '2', node_down_time: '10' };
  cluster = await StorageCluster.create({ nodes: 3, flags, restarts: true });
});

test.after.always(async () => {
  await cluster?.close();
});

const nodes = [1, 2, 3];

/** Creates a volume on a node and connects it to the next one. */
async function made(number: number, options: string): Promise<{ id: string; device: string; host: number }> {
  const host = (number % nodes.length) + 1;
  // Under load storage can answer too late for so short a node_down_time: then nothing is made.
  const { id } = await until(
    () => cluster.on(host).volume(`create ${options} --node node${number}`),
    `node${number} takes a volume`,
  );
  const { device = '' } = await cluster.on(host).volume(`attach ${id} --host-device`);
  return { id, device, host };
}

async function sumOf(host: number, device: string): Promise<string> {
  return cluster.node(host).sh(`dd if=${device} bs=1M count=8 iflag=direct 2>/dev/null | sha256sum`);
}

test.serial(
  'after Redis lost all records volumes return with data, owners and addresses, and exports never stopped',
  async (t) => {
    const still = await Promise.all([
      made(1, '1 --user alice --project blue'),
      made(2, '0 --user "bob the builder" --project red'),
      made(3, '2 --name lost'),
    ]);
    for (const { device, host } of still) {
      await cluster.node(host).sh(`dd if=/dev/urandom of=${device} bs=1M count=8 oflag=direct 2>/dev/null`);
    }
    const sums = await Promise.all(still.map(({ host, device }) => sumOf(host, device)));
    const busy = await made(1, '0 --project blue');
    const writer = await Writer.start(cluster.node(busy.host), busy.device);
    const before = await cluster.records();
    const vblades = await Promise.all(nodes.map((number) => cluster.vblades(number)));

    await cluster.lab.redis.command('FLUSHALL');
    await writer.goesOn();

    await until(
      async () => (await cluster.records()).length === before.length && (await cluster.records()),
      'every volume has a record again',
    );
    await cluster.settled();
    for (const { id, size, userId, projectId, address, node, backend } of before) {
      t.like(await cluster.record(id), { size, userId, projectId, address, node, backend, status: 'in-use' });
    }
    t.deepEqual(await Promise.all(nodes.map((number) => cluster.vblades(number))), vblades);
    for (const number of nodes) t.deepEqual(await cluster.differences(number), []);
    t.true(await writer.endsWell());
    t.deepEqual(await Promise.all(still.map(({ host, device }) => sumOf(host, device))), sums);
  },
);

test.serial(
  'the cluster then continues: used volumes are attached again, and new volumes get unused addresses',
  async (t) => {
    const before = await cluster.records();
    for (const { id, node } of before) {
      const host = (Number(node.slice(-1)) % nodes.length) + 1;
      await cluster.on(host).output(`volume detach ${id}`);
      const { device } = await cluster.on(host).volume(`attach ${id} --host-device`);
      t.is(device, `/dev/etherd/${(await cluster.record(id)).address}`);
    }
    const { address } = await until(() => cluster.on(2).volume('create 0'), 'a volume can be made');
    t.false(before.some((volume) => volume.address === address));
    for (const number of nodes) t.deepEqual(await cluster.differences(number), []);
  },
);
