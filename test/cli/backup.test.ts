import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, open, readFile, readdir, writeFile } from 'node:fs/promises';
import test from 'ava';
import { until } from '../support/until.ts';
import { FakeProxy } from '../redis/fake-proxy.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await writeFile(place.file('blockstore.conf'), `backup_directory = ${place.file('backups')}\n`);
  await mkdir(place.file('pool'));
  await place.daemon('n1', {
    volume_driver: 'file',
    volume_target: 'none',
    volume_pool_dir: place.file('pool'),
    backup_directory: place.file('backups'),
  });
});
test.after.always(() => place.close());

test.serial('volumes are backed up, listed, restored under another name, and deleted in order', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'data');
  const data = randomBytes(10_000);
  const file = await open(place.file(`pool/volume-${id}`), 'r+');
  await file.write(data, 0, data.length, 12_345);
  await file.close();
  const none = await place.run('backup', 'list');
  t.is(none.exitCode, 0);
  t.regex(none.stderr, /no backups in /);

  const full = await place.run('backup', 'create', 'data', '--incremental', '--name', 'monday');
  t.is(full.exitCode, 0);
  t.regex(full.stderr, /has no backup yet: this one is complete/);
  const next = await place.run('backup', 'create', 'data', '--incremental', '--name', 'tuesday');
  t.like(next, { exitCode: 0, stderr: '' });
  t.like(await place.json('backup', 'show', 'tuesday'), {
    id: next.stdout,
    parent: full.stdout,
    status: 'available',
    volume: id,
    storedBytes: 0,
  });
  const list = await place.run('backup', 'list', '--volume', 'data');
  t.regex(list.stdout, new RegExp(`^${full.stdout} +monday +data +100 MiB +4 MiB +- +available`, 'm'));
  t.regex(list.stdout, new RegExp(`^${next.stdout} +tuesday +data +100 MiB +0 bytes +${full.stdout}`, 'm'));

  const restored = await place.run('volume', 'create', '1', '--backup', 'tuesday', '--name', 'again');
  t.is(restored.exitCode, 0);
  const found = await readFile(place.file(`pool/volume-${restored.stdout}`));
  t.true(found.subarray(12_345, 22_345).equals(data));
  t.regex((await place.run('volume', 'show', 'again')).stdout, new RegExp(`^made from +backup ${next.stdout}$`, 'm'));

  const changed = await open(place.file(`pool/volume-${id}`), 'r+');
  await changed.write(randomBytes(10_000), 0, 10_000, 12_345);
  await changed.close();
  t.like(await place.run('backup', 'restore', 'tuesday', 'data'), { exitCode: 0, stdout: id, stderr: '' });
  t.true((await readFile(place.file(`pool/volume-${id}`))).subarray(12_345, 22_345).equals(data));
  t.like(await place.json('backup', 'restore', 'tuesday', id), { id, name: 'data', status: 'available' });
  const absent = await place.run('backup', 'restore', 'sunday', 'data');
  t.is(absent.exitCode, 4);
  t.regex(absent.stderr, /backup sunday does not exist/);

  const needed = await place.run('backup', 'delete', 'monday');
  t.is(needed.exitCode, 5);
  t.regex(needed.stderr, /has data of later ones/);
  t.is((await place.run('backup', 'delete', 'tuesday')).stdout, next.stdout);
  t.is((await place.run('backup', 'delete', 'monday')).stdout, full.stdout);
  const gone = await place.run('volume', 'create', '1', '--backup', 'monday');
  t.is(gone.exitCode, 4);
  t.regex(gone.stderr, /backup monday does not exist in .*backups/);
});

test.serial('an attached volume is backed up by a snapshot, which is there for that alone', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'used');
  await place.run('volume', 'attach', 'used', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const refused = await place.run('backup', 'create', 'used');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is attached to i-1.*\n.*--force/);
  const backup = await place.run('backup', 'create', 'used', '--force');
  const replaced = await place.run('backup', 'restore', backup.stdout, 'used');
  t.is(replaced.exitCode, 5);
  t.regex(replaced.stderr, /is attached to i-1.*\n.*detach it first/);
  t.like(backup, { exitCode: 0, stderr: '' });
  t.like(await place.json('backup', 'show', backup.stdout), { status: 'available', volume: id, name: 'used' });
  t.regex((await place.run('snapshot', 'list')).stderr, /no snapshots/);

  const { stdout: snapshot } = await place.run('snapshot', 'create', 'used', '--force', '--name', 'noon');
  t.is((await place.run('volume', 'extend', 'used', '1')).exitCode, 0);
  const next = await place.run('backup', 'create', 'used', '--snapshot', 'noon', '--incremental');
  t.like(next, { exitCode: 0, stderr: '' });
  t.like(await place.json('backup', 'show', next.stdout), { parent: backup.stdout, status: 'available', size: 0 });
  t.is((await place.run('volume', 'create', '0', '--backup', next.stdout)).exitCode, 0, 'as large as the snapshot');
  const { stdout: other } = await place.run('volume', 'create', '0');
  const wrong = await place.run('backup', 'create', other, '--snapshot', snapshot);
  t.is(wrong.exitCode, 2);
  t.regex(wrong.stderr, new RegExp(`a snapshot of volume ${other}`));
  t.is((await place.run('backup', 'list', '--volume', other)).stdout, '', 'nothing is left of it');
  const impatient = await place.run('backup', 'create', 'used', '--force', '--no-wait');
  t.is(impatient.exitCode, 0);
  const status = async () => (await place.run('backup', 'show', impatient.stdout)).stdout;
  await until(async () => /status +available/.test(await status()), 'the backup has its data');
  await until(
    async () => (await place.run('snapshot', 'list', '--volume', 'used')).stdout.split('\n').length === 2,
    'its snapshot is deleted',
  );
  const cast = await place.run('backup', 'create', 'used', '--snapshot', 'noon', '--no-wait');
  t.is(cast.exitCode, 0);
});

test.serial('a volume of the backup of an encrypted one has its key', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'secret', '--encrypted');
  const { stdout: backup } = await place.run('backup', 'create', 'secret', '--name', 'of-secret');
  t.like(await place.json('backup', 'show', backup), { encryptionKey: id });
  const { stdout: copy } = await place.run('volume', 'create', '0', '--backup', backup);
  t.like(await place.json('volume', 'show', copy), { encryptionKey: id });
  const other = await place.run('volume', 'create', '0', '--backup', backup, '--encryption-key', copy);
  t.is(other.exitCode, 2);
  t.regex(other.stderr, new RegExp(`that of backup ${backup}: ${id}`));
  t.is((await place.run('volume', 'create', '0', '--encryption-key', id)).exitCode, 2);
  const { stdout: plain } = await place.run('volume', 'create', '0');
  const refused = await place.run('backup', 'restore', backup, plain);
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /are encrypted with another key/);
  t.like(await place.run('backup', 'restore', backup, 'secret'), { exitCode: 0 });
});

test.serial(
  'an encrypted volume gets no data that are not encrypted, which its next host would format over',
  async (t) => {
    await place.run('volume', 'create', '0', '--name', 'open');
    const { stdout: backup } = await place.run('backup', 'create', 'open');
    const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'closed', '--encrypted');
    const refused = await place.run('backup', 'restore', backup, 'closed');
    t.is(refused.exitCode, 2);
    t.regex(refused.stderr, new RegExp(`volume ${id} is encrypted, and the data of backup ${backup} are not`));
    t.like(await place.json('volume', 'show', 'closed'), { status: 'available', restoreFrom: null });
  },
);

test.serial('a backup from before backups named their key is restored to its volume', async (t) => {
  await place.run('volume', 'create', '0', '--name', 'older', '--encrypted');
  const { stdout: backup } = await place.run('backup', 'create', 'older');
  const file = place.file(`backups/${backup}/backup.json`);
  await writeFile(file, (await readFile(file, 'utf8')).replace(/"encryptionKey": ?"[^"]*",?/, ''));
  t.like(await place.json('backup', 'show', backup), { encryptionKey: null });
  t.like(await place.run('backup', 'restore', backup, 'older'), { exitCode: 0 });
});

test.serial('a volume with part of its data names what gives it all, and nothing to wait for', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'half');
  await writeFile(place.file(`pool/volume-${id}`), randomBytes(10_000), { flag: 'r+' });
  const { stdout: backup } = await place.run('backup', 'create', 'half');
  await writeFile(place.file(`backups/${backup}/data`), randomBytes(10_000), { flag: 'r+' });
  t.is((await place.run('backup', 'restore', backup, 'half')).exitCode, 1);
  t.like(await place.json('volume', 'show', 'half'), { status: 'error_restoring' });
  const refused = await place.run('volume', 'attach', 'half', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is error_restoring; .*\n {2}give it other data: blockstore backup restore, .*volume delete/);
  t.notRegex(refused.stderr, /volume wait/);
});

/** Begins to copy a volume's data, and interrupts that once a command of it is on its way to Redis. Returns its end. */
async function interrupted(held: 'subscribe' | 'evalsha', signal: NodeJS.Signals, words: readonly string[]) {
  const proxy = await FakeProxy.start(place.file('proxy.sock'), place.server.socket);
  try {
    proxy.arm('hold', held);
    const command = place.begin('--set', `redis_url=${proxy.url}`, ...words);
    await until(() => proxy.count === 1, 'the command is on its way');
    command.kill(signal);
    await once(command.stderr, 'data'); // "undoing the backup"
    proxy.release();
    return await command;
  } finally {
    await proxy.stop();
  }
}

test.serial('a copy whose request is interrupted before Redis has it leaves nothing', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'early');
  t.is((await place.run('snapshot', 'create', 'early', '--name', 'moment')).exitCode, 0);
  const toImage = ['image', 'create', 'early', '--format', 'raw', '--set', `image_directory=${place.file('images')}`];
  await mkdir(place.file('images'));
  for (const [kind, signal, ...words] of [
    ['backup', 'SIGINT', 'backup', 'create', 'early'],
    ['backup', 'SIGTERM', 'backup', 'create', 'early'],
    ['backup', 'SIGINT', 'backup', 'create', 'early', '--snapshot', 'moment'],
    ['upload', 'SIGINT', ...toImage],
    ['upload', 'SIGINT', ...toImage, '--snapshot', 'moment'],
  ] as const) {
    const { exitCode, stderr } = await interrupted('subscribe', signal, words);
    t.is(exitCode, 130, words.join(' '));
    t.true(stderr.includes(`the ${kind} of volume ${id} was interrupted, and nothing of it stays`), stderr);
    t.regex((await place.run('backup', 'list', '--volume', 'early')).stderr, /no backups/);
    t.deepEqual(await readdir(place.file('images')), []);
    t.like(await place.json('volume', 'show', 'early'), { status: 'available' });
  }
});

test.serial('a copy that is interrupted while Redis records its request is carried out', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'recorded');
  t.is((await place.run('snapshot', 'create', 'recorded', '--name', 'then')).exitCode, 0);
  for (const [name, of, ...more] of [
    ['one', `volume ${id}`],
    ['two', 'snapshot [0-9a-f-]{36}', '--snapshot', 'then'],
  ] as const) {
    const words = ['backup', 'create', 'recorded', '--name', name, ...more];
    const { exitCode, stderr } = await interrupted('evalsha', 'SIGINT', words);
    t.is(exitCode, 130);
    t.regex(stderr, new RegExp(`stopped waiting for the backup of ${of}\n {2}it continues in the background`));
    const isAvailable = async () => /available/.test((await place.run('backup', 'show', name)).stdout);
    await until(isAvailable, 'the backup has the data', 60_000);
  }
});
