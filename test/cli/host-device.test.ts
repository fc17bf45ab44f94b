import { hostname } from 'node:os';
import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
  await place.fakeProgram('modprobe', 'echo "modprobe: FATAL: Module aoe not found." >&2; exit 1');
  await place.fakeProgram('sudo', 'shift; exec "$@"');
});
test.after.always(() => place.close());

test.serial('a volume that cannot be connected to this host is detached again', async (t) => {
  await place.run('volume', 'create', '1', '--name', 'here');
  const { exitCode, stdout, stderr } = await place.run('volume', 'attach', 'here', '--host-device');
  t.is(exitCode, 1);
  t.is(stdout, '');
  t.regex(stderr, /^blockstore: could not connect volume e\d+\.\d+ to this host: /);
  t.like(await place.json('volume', 'show', 'here'), {
    status: 'available',
    attachStatus: 'detached',
    instanceId: null,
  });
});

test.serial('a block device of another host is detached only with --force', async (t) => {
  await place.run('volume', 'create', '1', '--name', 'there');
  const { aoeDevice } = Object(await place.json('volume', 'show', 'there'));
  const attach = ['volume', 'attach', 'there', '--instance', 'x', '--mountpoint', `/dev/etherd/${aoeDevice}`, '--host'];
  await place.run(...attach, 'elsewhere');
  const refused = await place.run('volume', 'detach', 'there');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is attached as a block device of host elsewhere\n.*blockstore volume detach \S+ --force/);
  t.is((await place.run('volume', 'detach', 'there', '--force')).exitCode, 0);
  await place.run(...attach, hostname());
  t.is((await place.run('volume', 'detach', 'there')).exitCode, 0);
});

test.serial('--domain requires --mountpoint', async (t) => {
  const { exitCode, stderr } = await place.run('volume', 'attach', 'here', '--domain', 'guest');
  t.is(exitCode, 2);
  t.regex(stderr, /option "--mountpoint <device>" is missing/);
});
