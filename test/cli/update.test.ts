import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('volume update changes what is given, and show prints it', async (t) => {
  const noted = ['--description', 'of the shop', '--meta', 'tier=slow', '--meta', 'url=http://a/?b=c', '--bootable'];
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', 'data', ...noted);
  t.like(await place.json('volume', 'show', 'data'), {
    description: 'of the shop',
    metadata: { tier: 'slow', url: 'http://a/?b=c' },
    isBootable: true,
    isReadOnly: false,
  });
  const changes = ['--name', 'logs', '--unset-meta', 'url', '--meta', 'tier=fast', '--no-bootable', '--read-only'];
  t.like(await place.run('volume', 'update', 'data', ...changes), { exitCode: 0, stdout: id, stderr: '' });
  const { stdout } = await place.run('volume', 'show', 'logs');
  t.regex(stdout, /^description +of the shop$/m);
  t.regex(stdout, /^flags +read-only$/m);
  t.regex(stdout, /^metadata +tier=fast$/m);

  const attach = ['volume', 'attach', 'logs', '--instance', 'i-1', '--mountpoint', '/dev/vdb'];
  const refused = await place.run(...attach, '--mode', 'rw');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is read-only.*\n.*--mode ro, or permit writing: blockstore volume update/);
  t.is((await place.run(...attach)).exitCode, 0);
  t.like(await place.json('volume', 'show', 'logs'), { attachments: [{ mode: 'ro' }], metadata: { tier: 'fast' } });
});

test.serial('an update that changes nothing, or has a bad key, is refused', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  t.like(await place.run('volume', 'update', id), { exitCode: 2, stdout: '' });
  const { exitCode, stderr } = await place.run('volume', 'update', id, '--meta', 'novalue');
  t.is(exitCode, 2);
  t.regex(stderr, /novalue.*a key=value/);
  t.is((await place.run('volume', 'update', id, '--meta', `k=${'x'.repeat(256)}`)).exitCode, 2);
});

test.serial('flags of a reserved volume stay, and the error says how the reservation ends', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  const { stdout: attachment } = await place.run('attachment', 'create', id, '--instance', 'i-1');
  for (const flag of ['--read-only', '--multiattach']) {
    const { exitCode, stderr } = await place.run('volume', 'update', id, flag);
    t.is(exitCode, 5);
    t.regex(stderr, new RegExp(`is reserved for i-1\\n.*blockstore attachment delete ${attachment}$`));
  }
});
