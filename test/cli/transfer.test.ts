import test from 'ava';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial(
  'a volume is offered, the offer listed and shown, and accepted by a key from the standard input',
  async (t) => {
    const { stdout: volume } = await place.run('volume', 'create', '1', '--name', 'data', '--project', 'web');
    await place.run('snapshot', 'create', 'data', '--name', 'before');
    const created = await place.run('transfer', 'create', 'data', '--name', 'gift', '--expires', '2h');
    t.like(created, { exitCode: 0, stderr: '' });
    const [id = '', key = '', ...more] = created.stdout.split('\n');
    t.regex(id, /^[0-9a-f-]{36}$/);
    t.regex(key, /^([0-9a-z]{4}-){7}[0-9a-z]{4}$/);
    t.deepEqual(more, []);

    const shown = await place.run('transfer', 'show', 'gift', '--json');
    t.like(JSON.parse(shown.stdout), { id, name: 'gift', volume, projectId: 'web', withSnapshots: true });
    const listed = await place.run('transfer', 'list', '--project', 'web');
    t.regex(listed.stdout, new RegExp(`^${id} +gift +${volume} +web +go along +in 11\\d min$`, 'm'));
    t.like(await place.json('transfer', 'list', '--project', 'lab'), { transfers: [], next: null });
    const facts = await place.run('transfer', 'show', id.slice(0, 8));
    t.regex(facts.stdout, /^expires +20\d\d-.* \(in 11\d min\)$/m);
    for (const { stdout } of [shown, listed, facts]) t.notRegex(stdout, new RegExp(`${key}|salt|hash`));
    t.like(await place.json('volume', 'show', 'data'), { status: 'awaiting-transfer', transfer: id });

    const refused = await place.run(
      'volume',
      'attach',
      'data',
      '--instance',
      'i-1',
      '--mountpoint',
      '/dev/vdb',
      '--json',
    );
    t.is(refused.exitCode, 5);
    t.like(JSON.parse(refused.stderr), {
      error: { code: 'WrongStatus', hint: `end the transfer first: blockstore transfer delete ${id}` },
    });
    const accept = (line: string) => place.shell(`${line} | blockstore transfer accept gift --project lab --user bob`);
    t.like(await accept('echo 0000-0000'), { exitCode: 8, stdout: '' });
    t.like(await accept('true'), { exitCode: 2, stdout: '' });
    t.like(await accept(`echo ${key}`), { exitCode: 0, stdout: volume, stderr: '' });
    t.like(await place.json('volume', 'show', 'data'), { userId: 'bob', projectId: 'lab', status: 'available' });
    t.like(await place.json('snapshot', 'list', '--project', 'lab'), {
      snapshots: [{ name: 'before', userId: 'bob' }],
    });
    t.like(await accept(`echo ${key}`), { exitCode: 8, stdout: '' });
    t.is((await place.run('transfer', 'show', 'gift')).exitCode, 4);
  },
);

test.serial('the key is asked for on a terminal, and can be an option', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '1', '--project', 'web');
  const offer = async () => {
    const { stdout } = await place.run('transfer', 'create', volume, '--without-snapshots');
    const [id = '', key = ''] = stdout.split('\n');
    return { id, key };
  };
  const first = await offer();
  t.like(await place.json('transfer', 'show', first.id), { volume, withSnapshots: false });
  const typing = place.terminal(`blockstore transfer accept ${first.id} --project lab`);
  let seen = '';
  typing.stdout.on('data', (part: Buffer) => (seen += part.toString()));
  await until(() => seen.includes('key: '), 'it asks for the key');
  typing.stdin.write(`${first.key}\n`);
  t.regex((await typing).stdout, new RegExp(`${volume}\r?$`, 'm'));
  const second = await offer();
  const own = await place.run('transfer', 'accept', second.id, '--key', second.key, '--project', 'lab', '--json');
  t.is(own.exitCode, 5);
  t.like(JSON.parse(own.stderr), { error: { code: 'TransferToOwner' } });
  const accepted = await place.json('transfer', 'accept', second.id, '--key', second.key);
  t.like(accepted, { id: volume, projectId: 'default', status: 'available' });
});

test.serial('a transfer is deleted; an expired one ends by itself', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '1', '--name', 'kept');
  await place.run('transfer', 'create', 'kept', '--name', 'mistake');
  t.is((await place.run('transfer', 'create', 'kept')).exitCode, 5);
  t.is((await place.run('transfer', 'delete', 'mistake', 'nosuch')).exitCode, 4);
  t.like(await place.json('volume', 'show', 'kept'), { status: 'available', transfer: null });
  await place.run('transfer', 'create', 'kept', '--expires', '1s');
  t.is((await place.run('volume', 'wait', volume, '--status', 'available', '--timeout', '60')).stdout, 'available');
  t.like(await place.json('transfer', 'list'), { transfers: [] });
});

test.serial('options that mean nothing are refused before anything changes', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '1');
  for (const options of [
    ['--with-snapshots', '--without-snapshots'],
    ['--expires', '0h'],
    ['--expires', '24'],
    ['--expires', '9999d'],
    ['--name', '-x'],
  ]) {
    t.is((await place.run('transfer', 'create', volume, ...options)).exitCode, 2, options.join(' '));
  }
  t.like(await place.json('volume', 'show', volume), { status: 'available' });
  t.is((await place.run('transfer', 'accept', 'nosuch', '--key', 'x')).exitCode, 8);
});
