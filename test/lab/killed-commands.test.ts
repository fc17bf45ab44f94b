import test from 'ava';
import { StorageCluster } from './storage-cluster.ts';
import { survivesKilledCommands } from './killed-cases.ts';

/** A host whose command line is killed while it attaches and detaches by AoE; by iSCSI: iscsi-cases.ts. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 2, storageNodes: 1 });
  await cluster.on(2).output('volume create 0 --name data');
});

test.after.always(async () => {
  await cluster?.close();
});

test.serial('AoE: attach and detach can be repeated, or undone, after a kill at any moment', async (t) => {
  t.timeout(30 * 60_000);
  const remains = () => cluster.node(2).sh("ls /dev/etherd 2>/dev/null | grep '^e[0-9]' || true");
  await survivesKilledCommands(t, { cluster, host: 2, volume: 'data', remains });
});
