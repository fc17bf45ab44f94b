import test from 'ava';
import { z } from 'zod';
import { becomeInitiator } from './initiator.ts';
import { missingForOsBrick } from './requirements.ts';
import { StorageCluster } from './storage-cluster.ts';

/** A host that attaches volumes by os-brick and the API, without anything of blockstore. */
const isReady = (await missingForOsBrick()) === undefined;
const inLab = isReady ? test.serial : test.serial.skip;
const project = '5ad1f0c79c9e4bb5b1d0e9ea9f1bd52a';
const storageIp = '10.77.0.11';
const hostIp = '10.77.0.12';
const initiator = 'iqn.2010-10.org.openstack:host2';
const endSchema = z.array(
  z.object({ digest: z.string(), mode: z.string(), status: z.string(), afterwards: z.string() }),
);

let cluster: StorageCluster;
test.before(async () => {
  if (!isReady) return;
  cluster = await StorageCluster.create({
    nodes: 2,
    storageNodes: 0,
    keepState: true,
    flags: {
      volume_target: 'iscsi-lio',
      iscsi_ip_address: storageIp,
      api_listen: `${storageIp}:8776`,
      auth_strategy: 'noauth',
      api_noauth_beyond_loopback: 'true',
    },
  });
  await Promise.all([cluster.startDaemon(1), becomeInitiator(cluster.node(2), initiator)]);
});
test.after.always(() => cluster?.close());

inLab('a host attaches, writes, reads and detaches by os-brick and the API', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume(`create 0 --name data --project ${project}`);
  const script = `/usr/bin/python3 -W ignore test/lab/os-brick.py http://${storageIp}:8776 ${project} ${id} ${hostIp}`;
  const output = await cluster.node(2).sh(script, { timeoutMs: 300_000 });
  const [written, read] = endSchema.parse(JSON.parse(output.split('\n').at(-1) ?? ''));
  t.like(written, { mode: 'rw', status: 'in-use', afterwards: 'available' });
  t.deepEqual(read, { digest: written?.digest ?? '', mode: 'ro', status: 'in-use', afterwards: 'available' });
  t.like(await cluster.record(id), { attachments: [], attachHosts: [] });
  const sessions = await cluster.node(2).sh('ls /sys/class/iscsi_session | wc -l');
  t.is(sessions.trim(), '0');
});
