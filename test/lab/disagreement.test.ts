import test from 'ava';
import { StorageCluster, group, stateDir } from './storage-cluster.ts';

/** A daemon starts with records, storage and exports that do not match. node2 is a foreign machine. */

let cluster: StorageCluster;

test.before(async () => {
  cluster = await StorageCluster.create({
    nodes: 2,
    storageNodes: 1,
    flags: { volume_clear: 'none', address_quarantine: '0' },
  });
});

test.after.always(async () => {
  await cluster?.close();
});

async function stop(): Promise<void> {
  await cluster.daemon(1).stop();
}

test.serial('after Redis lost all records they are restored, and exports never stop', async (t) => {
  const made = [
    await cluster.on(1).volume('create 1 --user alice --project blue'),
    await cluster.on(1).volume('create 0 --user "bob the builder"'),
  ];
  for (const { id } of made) await cluster.on(1).output(`volume attach ${id} --instance i-1 --mountpoint /dev/vdb`);
  const before = await Promise.all(made.map(({ id }) => cluster.record(id)));
  const vblades = await cluster.vblades(1);
  await stop();
  await cluster.lab.redis.command('FLUSHALL');
  await cluster.startDaemon(1);
  for (const { id, size, userId, projectId, address, node, backend } of before) {
    t.like(await cluster.record(id), { size, userId, projectId, address, node, backend, status: 'in-use' });
  }
  t.deepEqual(await cluster.vblades(1), vblades);
  t.deepEqual(await cluster.differences(1), []);
  for (const { id } of made) await cluster.on(1).output(`volume detach ${id} --force`);
  t.is(
    await cluster
      .on(1)
      .volume('create 0')
      .then(({ address }) => address),
    'e1.2',
    'their addresses are in use',
  );
});

test.serial('removed storage is reported in the record, which can be deleted', async (t) => {
  const { id } = await cluster.on(1).volume('create 0 --name lost');
  await stop();
  await cluster.node(1).sh(`lvremove -qy ${group}/volume-${id}`);
  await cluster.startDaemon(1);
  t.like(await cluster.record(id), { status: 'error', fault: { code: 'StorageMissing' } });
  const problem = `volume ${id} has a record but no storage: /dev/${group}/volume-${id} does not exist`;
  t.true((await cluster.daemon(1).log()).includes(problem));
  t.true((await cluster.on(1).output('node show node1')).includes(problem));
  await cluster.on(1).output('volume delete lost');
  t.deepEqual(await cluster.differences(1), []);
});

test.serial('foreign volumes and exports are not touched, and their addresses are not allocated', async (t) => {
  const [, , third] = await cluster.records();
  await cluster.commands.delete(third?.id ?? '', { deadlineMs: 120_000 });
  await stop();
  const unlabelled = 'volume-00000000-0000-4000-8000-00000000abcd';
  await cluster.node(1).sh(`lvcreate -qy -L 8M -n theirs ${group} && lvcreate -qy -L 8M -n ${unlabelled} ${group}`);
  const near = await cluster.node(1).start('near', `exec vblade 1 2 vec0 /dev/${group}/theirs`);
  await cluster.node(2).sh('truncate -s 8M /tmp/theirs');
  const far = await cluster.node(2).start('far', 'exec vblade 1 3 vec0 /tmp/theirs');
  await cluster.startDaemon(1);
  t.is((await cluster.on(1).volume('create 0')).address, 'e1.4');
  await cluster.on(1).output(`volume delete ${(await cluster.records()).map(({ id }) => id).join(' ')}`);
  t.deepEqual(await cluster.logicalVolumes(1), ['theirs', unlabelled]);
  t.true(await near.running());
  t.true(await far.running());
  t.deepEqual(
    (await cluster.vblades(1)).map((line) => line.split(' ')[0]),
    [String(near.pid)],
  );
});

test.serial('an export without a volume is stopped', async (t) => {
  await stop();
  const id = '00000000-0000-4000-8000-00000000dead';
  const orphan = await cluster.node(1).start(
    'orphan',
    `truncate -s 8M /tmp/orphan
exec perl -e '$^F = 255; open $lock, ">>", shift; flock $lock, 2; exec @ARGV' \\
  ${stateDir}/exports/${id}.lock vblade 1 9 vec0 /tmp/orphan`,
  );
  await cluster.startDaemon(1);
  t.false(await orphan.running());
  t.regex(
    await cluster.daemon(1).log(),
    new RegExp(`ended the export of volume ${id}: the volume has neither record nor storage`),
  );
});
