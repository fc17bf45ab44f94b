import test from 'ava';
import { CommandError, type CommandFailure } from '../../../../lib/command-error.ts';
import { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import { PoolSizes } from '../../../../lib/drivers/rbd/sizes.ts';
import { silentLog } from '../../../../lib/log.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { readMonitors } from '../../../../lib/rbd/monitors.ts';
import { spec } from '../conformance.ts';

/** Failures that a small real cluster does not have, by a stand-in of its commands. */
class StandIn extends ChildProcesses {
  readonly answers: Readonly<Record<string, Partial<CommandFailure> | string>>;
  constructor(answers: Readonly<Record<string, Partial<CommandFailure> | string>>) {
    super();
    this.answers = answers;
  }

  override async run(command: string, args: readonly string[]) {
    const verb = ['image-meta list', 'ls -l', 'create', 'info', 'rm', 'status'].find((words) =>
      ` ${args.join(' ')} `.includes(` ${words} `),
    );
    const answer = this.answers[verb ?? command] ?? '';
    if (typeof answer === 'string') return { stdout: answer, stderr: '' };
    const failure = { exitCode: 1, signal: undefined, timedOut: false, cancelled: false, notFound: false };
    throw new CommandError({ command, stdout: '', stderr: '', ...failure, ...answer });
  }
}

const absent = { exitCode: 2, stderr: 'rbd: error opening image volume: (2) No such file or directory' };

function driverWith(answers: StandIn['answers']): RbdDriver {
  const options = {
    pool: 'p',
    user: 'u',
    conf: '/c',
    maxCloneDepth: 5,
    capacityBytes: 2 ** 40,
    directory: '/d',
    imagePools: [],
  };
  const processes = new StandIn({ 'image-meta list': absent, 'ls -l': '[]', info: absent, ...answers });
  return new RbdDriver(options, { processes, log: silentLog });
}

const failures: readonly (readonly [string, Partial<CommandFailure>, string])[] = [
  ['a full cluster', { exitCode: 28, stderr: 'rbd: create error: (28) No space left on device' }, 'NoSpace'],
  ['a pool at its quota', { exitCode: 122, stderr: 'rbd: create error: (122) Disk quota exceeded' }, 'NoSpace'],
  ['an input error', { exitCode: 5, stderr: 'rbd: create error: (5) Input/output error' }, 'RbdFailed'],
  ['a hanging command', { exitCode: undefined, signal: 'SIGTERM', timedOut: true }, 'CephUnreachable'],
  ['a killed command', { exitCode: undefined, signal: 'SIGKILL' }, 'CommandFailed'],
  ['a missing command', { exitCode: undefined, notFound: true }, 'CommandNotFound'],
];
for (const [title, failure, code] of failures) {
  test(`on a stand-in of rbd: ${title} at a create is ${code}`, async (t) => {
    await t.throwsAsync(driverWith({ create: failure }).createVolume(spec()), { code });
  });
}

const badKey = 'monclient(hunting): handle_auth_bad_method server allowed_methods [2] but i only support [2]\n';
const silences: readonly (readonly [string, string, string])[] = [
  ['no monitor', 'failed to fetch mon config (--no-mon-config to skip)', 'CephUnreachable'],
  ['no OSD', 'error removing p/o: (110) Connection timed out', 'CephUnreachable'],
  ['a wrong key', `${badKey}failed to fetch mon config (--no-mon-config to skip)`, 'CephDenied'],
];
for (const [title, stderr, code] of silences) {
  test(`on a stand-in of rados, which exits with 1 then: ${title} is ${code}`, async (t) => {
    await t.throwsAsync(driverWith({ rm: { stderr } }).setup(), { code });
  });
}

test('the local path of a volume names its pool and image', (t) => {
  const volume = spec();
  t.is(driverWith({}).localPath(volume), `rbd:p/volume-${volume.id}`);
});

test('on a stand-in of rbd: unreadable output is an error, not an empty pool', async (t) => {
  for (const output of ['[{"image":"x"', '{"image":1}', 'nonsense']) {
    await t.throwsAsync(driverWith({ 'ls -l': output }).listVolumes(), { code: 'AnswerUnreadable' });
  }
});

test('on a stand-in of rbd: the end of a daemon ends the wait for a client that has a volume open', async (t) => {
  const info = JSON.stringify({ name: 'volume', id: '1', size: 2 ** 30, object_size: 2 ** 22, features: [] });
  const status = JSON.stringify({ watchers: [{ address: '192.0.2.1:0/7', client: 4, cookie: 1 }] });
  const driver = driverWith({ info, status });
  const ending = new AbortController();
  const opening = driver.openVolume(spec(), { access: 'read', signal: ending.signal });
  ending.abort(new Error('the daemon ends'));
  const began = performance.now();
  await t.throwsAsync(opening, { message: 'the daemon ends' });
  t.true(performance.now() - began < 20_000, 'not the 40 s in which Ceph gives up a client');
});

test('on a stand-in of ceph: monitors are given by protocol 1 where each one has it, and by protocol 2 otherwise', async (t) => {
  const [old, recent] = [
    { type: 'v1', addr: '192.0.2.1:6789' },
    { type: 'v2', addr: '192.0.2.1:3300' },
  ];
  const monitorsOf = (...all: { type: string; addr: string }[][]) => {
    const mons = all.map((addrvec) => ({ public_addrs: { addrvec } }));
    const processes = new StandIn({ ceph: JSON.stringify({ fsid: 'f', mons }) });
    return readMonitors(new RbdCommands({ pool: 'p', user: 'u', conf: '/c' }, processes));
  };
  const at = (port: string) => ({ host: '192.0.2.1', port });
  t.like(await monitorsOf([recent, old], [old]), { protocol: 'v1', addresses: [at('6789'), at('6789')] });
  t.like(await monitorsOf([recent, old], [recent]), { protocol: 'v2', addresses: [at('3300'), at('3300')] });
});

test('a list counts what began before it and ended during it, also when lists overlap', async (t) => {
  const sizes = new PoolSizes();
  const { promise, resolve } = Promise.withResolvers<void>();
  const creating = sizes.during('a', 5, () => promise);
  const older = sizes.begin();
  t.is(sizes.sums().allBytes, 5);
  resolve();
  await creating;
  const newer = sizes.begin();
  newer(new Map([['a', { bytes: 5, isOurs: true }]]));
  older(new Map());
  t.is(sizes.sums().allBytes, 5, 'the older list is not used');
  sizes.change('a', 0);
  t.is(sizes.sums().allBytes, 0);
  sizes.begin()(new Map([['b', { bytes: 3, isOurs: false }]]));
  t.deepEqual(sizes.sums(), { allBytes: 3, volumeBytes: 0 });
  await t.throwsAsync(sizes.during('c', 9, () => Promise.reject(new Error('no'))));
  t.is(sizes.sums().allBytes, 3);
});
