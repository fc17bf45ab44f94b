import test from 'ava';
import { StorageCluster, group } from './storage-cluster.ts';

/** Volumes that their hosts encrypt: one storage node and two hosts that have the key of the cluster. */

let cluster: StorageCluster;
const keyFile = '/run/encryption-key';
const text = 'only the hosts read this';

test.before(async () => {
  cluster = await StorageCluster.create({ nodes: 3 });
  const key = (await cluster.node(2).sh('head -c 32 /dev/urandom | base64')).trim();
  for (const number of [2, 3]) await cluster.node(number).sh(`(umask 077; echo ${key} >${keyFile})`);
});

test.after.always(async () => {
  await cluster?.close();
});

const attach = (number: number, name: string, key = keyFile) =>
  cluster.on(number).volume(`attach ${name} --host-device --key-file ${key}`);

test.serial('what a host writes is read by the next host, and by nobody else', async (t) => {
  const { id } = await cluster.on(1).volume('create 0 --name secret --node node1 --encrypted');
  const without = await cluster.on(2).run('volume attach secret --host-device');
  t.like(without, { exitCode: 1, codes: ['EncryptionKeyMissing'] });
  t.like(await cluster.record(id), { status: 'available', encryptionKey: id, isFormatted: false });

  const { device = '' } = await attach(2, 'secret');
  t.is(device, `/dev/mapper/blockstore-${id}`);
  t.true((await cluster.record(id)).isFormatted);
  await cluster.node(2).sh(`yes '${text}' | head -c 4M | dd of=${device} bs=1M conv=fsync 2>/dev/null`);
  const user = await cluster.node(2).start('user', `exec sleep 1000 <${device}`);
  t.like(await cluster.on(2).run('volume detach secret'), { exitCode: 5, codes: ['DeviceInUse'] });
  await user.stop();
  await cluster.on(2).output('volume detach secret');
  t.not((await cluster.node(2).run(`test -e ${device}`)).status, 0, 'nothing is left on the host');
  const storage = `/dev/${group}/volume-${id}`;
  t.is((await cluster.node(1).sh(`grep -a -c '${text}' ${storage} || true`)).trim(), '0');
  t.is((await cluster.node(1).sh(`head -c 4 ${storage}`)).trim(), 'LUKS');

  t.is((await attach(3, 'secret')).device, device);
  t.is((await cluster.node(3).sh(`head -c ${text.length} ${device}`)).trim(), text);
  const forced = await cluster.on(3).run('volume detach secret --force');
  t.is(forced.exitCode, 0);
  t.not((await cluster.node(3).run(`test -e ${device}`)).status, 0);

  await cluster.node(3).sh(`head -c 32 /dev/zero >/run/other-key`);
  const wrong = await cluster.on(3).run('volume attach secret --host-device --key-file /run/other-key');
  t.like(wrong, { exitCode: 1, codes: ['EncryptionKeyWrong'] });
  t.like(await cluster.record(id), { status: 'available' }, 'it is undone');
});

test.serial('a snapshot of it is opened with its key, and it grows below its host', async (t) => {
  const { id } = await cluster.on(1).volume('show secret');
  await cluster.on(1).output('snapshot create secret --name before');
  const { id: copy } = await cluster.on(1).volume('create 0 --name copy --snapshot before');
  t.like(await cluster.record(copy), { encryptionKey: id, isFormatted: true });
  const { device = '' } = await attach(2, 'copy');
  t.is((await cluster.node(2).sh(`head -c ${text.length} ${device}`)).trim(), text);
  const size = async () => Number(await cluster.node(2).sh(`blockdev --getsize64 ${device}`));
  const before = await size();
  await cluster.on(2).output('volume extend copy 1');
  t.true((await size()) - before > 800 * 2 ** 20);
  t.is((await cluster.node(2).sh(`head -c ${text.length} ${device}`)).trim(), text);
  await cluster.on(2).output('volume detach copy');
});

test.serial('what has no header is not formatted twice', async (t) => {
  const { id } = await cluster.on(1).volume('show secret');
  await cluster.node(1).sh(`dd if=/dev/zero of=/dev/${group}/volume-${id} bs=1M count=17 conv=fsync 2>/dev/null`);
  const refused = await cluster.on(2).run(`volume attach secret --host-device --key-file ${keyFile}`);
  t.like(refused, { exitCode: 1, codes: ['NotEncrypted'] });
  t.like(await cluster.record(id), { status: 'available' });
});
