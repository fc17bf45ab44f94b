import test from 'ava';
import { StorageCluster } from './storage-cluster.ts';

let cluster: StorageCluster;
test.before(async () => {
  const t0 = performance.now();
  cluster = await StorageCluster.create({ nodes: 3 });
  console.log('up', performance.now() - t0);
});
test.after.always(async () => {
  await cluster?.close();
});
test.serial('timing', async (t) => {
  for (const command of ['create 1 --name one --node node2', 'create 1 --name two', 'list', 'show one']) {
    const t0 = performance.now();
    t.log(await cluster.tryBlockstore(1, `volume ${command}`));
    t.log(performance.now() - t0);
  }
  t.log(await cluster.daemon(1).log());
  t.log(await cluster.vblades(2));
  t.log(await cluster.logicalVolumes(2));
});
