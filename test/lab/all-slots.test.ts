import test from 'ava';
import { compareAddresses } from '../../lib/aoe/address.ts';
import { StorageCluster } from './storage-cluster.ts';

/** Three nodes with a shelf of eight slots each, and clients on all of them. */

const numbers = [1, 2, 3];
const slots = 8;
const clientsOnEach = 9;
/** More clients starve a node's only processor until connections time out. */
const concurrency = 3;

let cluster: StorageCluster;

test.before(async () => {
  const flags = { slots_per_shelf: String(slots), volume_clear: 'none', address_quarantine: '0' };
  cluster = await StorageCluster.create({ nodes: numbers.length, storageNodes: 0, flags });
  await Promise.all(
    numbers.map((number) =>
      cluster.startDaemon(number, { first_shelf_id: String(number), last_shelf_id: String(number) }),
    ),
  );
});

test.after.always(async () => {
  await cluster?.close();
});

async function allDifferences(): Promise<string[]> {
  return (await Promise.all(numbers.map((number) => cluster.differences(number)))).flat();
}

test.serial('concurrent clients on three nodes get every address once, and then NoMoreVolumes', async (t) => {
  const script = `export BLOCKSTORE_CONFIG=/etc/blockstore/blockstore.conf
mkdir -p /run/lab/clients && cd /run/lab/clients || exit
seq ${clientsOnEach} | xargs -P ${concurrency} -I{} sh -c '
  blockstore volume create 0 --timeout 300 >{}.out 2>&1; echo $? >{}.code'
cat *.code`;
  const codes = await Promise.all(numbers.map((number) => cluster.node(number).sh(script, { timeoutMs: 600_000 })));
  const ended = codes.join('\n').split('\n').toSorted();
  const refused = numbers.length * (clientsOnEach - slots);
  t.deepEqual(ended, [...Array<string>(numbers.length * slots).fill('0'), ...Array<string>(refused).fill('6')]);

  const volumes = await cluster.records();
  const expected = numbers.flatMap((shelf) => Array.from({ length: slots }, (_, slot) => `e${shelf}.${slot}`));
  t.deepEqual(volumes.map(({ address }) => address).toSorted(compareAddresses), expected);
  t.true(
    volumes.every(({ status, node, address }) => status === 'available' && address.startsWith(`e${node.slice(-1)}.`)),
  );
  t.deepEqual(await allDifferences(), []);
});

test.serial('one volume more is refused and leaves nothing', async (t) => {
  for (const where of ['', '--node node3']) {
    t.like(await cluster.on(2).run(`volume create 0 ${where}`), { exitCode: 6, codes: ['NoMoreVolumes'], output: '' });
  }
  t.is((await cluster.records()).length, numbers.length * slots);
  t.deepEqual(await allDifferences(), []);
});

test.serial('a released address is allocated again', async (t) => {
  const volume = (await cluster.records()).find(({ address }) => address === 'e2.5');
  await cluster.on(1).output(`volume delete ${volume?.id ?? 'e2.5'}`);
  t.is((await cluster.on(3).volume('create 0')).address, 'e2.5');
});

test.serial('deleted volumes leave nothing anywhere', async (t) => {
  const ids = (await cluster.records()).map(({ id }) => id);
  await Promise.all(
    numbers.map((number, index) => {
      const share = ids.filter((_, at) => at % numbers.length === index);
      return cluster.on(number).output(`volume delete ${share.join(' ')}`);
    }),
  );
  t.deepEqual(await cluster.records(), []);
  for (const number of numbers) {
    t.deepEqual(await cluster.logicalVolumes(number), []);
    t.deepEqual(await cluster.vblades(number), []);
    t.is(await cluster.node(number).sh('ls /var/lib/blockstore/exports'), '');
  }
  t.deepEqual(await keysLeft(), []);
  for (const topic of numbers.map((number) => `volume.node${number}`)) {
    t.is(await cluster.store.redis.xlen(cluster.store.keys.topic(topic)), 0, topic);
  }
});

/** Returns the keys of Redis except those of the nodes themselves. */
async function keysLeft(): Promise<string[]> {
  const { redis, keys } = cluster.store;
  const names = numbers.map((number) => `node${number}`);
  const kept = new Set([
    keys.nodes(),
    keys.shelves(),
    keys.shelfOwners(),
    keys.freeSpace(),
    keys.events(),
    ...names.flatMap((name) => [
      keys.node(name),
      keys.lease(name),
      keys.nodeBackends(name),
      keys.backend(`${name}@lvm`),
      keys.nodeShelves(name),
      keys.quarantine(name),
      keys.topic(`volume.${name}`),
    ]),
  ]);
  return (await redis.keys('*')).filter((key) => !kept.has(key));
}
