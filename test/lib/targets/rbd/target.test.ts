import test from 'ava';
import { CommandError, type CommandFailure } from '../../../../lib/command-error.ts';
import { silentLog } from '../../../../lib/log.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { RbdTarget } from '../../../../lib/targets/rbd/target.ts';

type Answer = string | Partial<CommandFailure>;

/** A fake Ceph, for faults: it has volume v1 attached and open by one client. A real one: real.test.ts. */
class FakeCeph extends ChildProcesses {
  readonly calls: string[] = [];
  readonly target: RbdTarget;
  /** By words of the command; the first that it has counts. */
  private readonly answers: Map<string, Answer>;
  private static readonly usual: readonly (readonly [string, Answer])[] = [
    ['listomapkeys', 'v1\n'],
    ['status', '{"watchers":[{"address":"10.0.0.1:0/7"}]}'],
    ['lock ls', '[]'],
    ['--pool p ls', '["volume-v1"]'],
    ['blocklist ls', ''],
  ];

  constructor(answers: Readonly<Record<string, Answer>> = {}) {
    super();
    const given = Object.entries(answers);
    this.answers = new Map([...given, ...FakeCeph.usual.filter(([words]) => !(words in answers))]);
    const commands = new RbdCommands({ pool: 'p', user: 'u', conf: '/c' }, this);
    this.target = new RbdTarget(commands, { user: 'u', secretUuid: '' }, { log: silentLog, closingMs: 0 });
  }

  /** Whether the volume is still noted as attached: then the next try begins anew. */
  get isAttached(): boolean {
    return !this.calls.some((call) => call.includes('rmomapkey'));
  }

  override async run(command: string, args: readonly string[]) {
    const call = [command, ...args].join(' ');
    this.calls.push(call);
    const blocked = / osd bl(?:ock|ack)list add (\S+)/.exec(call)?.[1];
    const [, answer = ''] = [...this.answers].find(([words]) => `${call} `.includes(` ${words} `)) ?? [];
    if (typeof answer !== 'string') {
      const failure = { exitCode: 1, signal: undefined, timedOut: false, cancelled: false, notFound: false };
      throw new CommandError({ command, stdout: '', stderr: '', ...failure, ...answer });
    }
    const list = call.includes('blacklist') ? 'blacklist ls' : 'blocklist ls';
    if (blocked !== undefined) this.answers.set(list, `${blocked} 2027-01-01T00:00:00.000000+0000\n`);
    return { stdout: answer, stderr: '' };
  }
}

test('a fake client that stays is blocked for a year, and the attachment ends', async (t) => {
  const ceph = new FakeCeph();
  await ceph.target.removeExport('v1');
  t.true(ceph.calls.some((call) => call.endsWith(' osd blocklist add 10.0.0.1:0/7 31536000')));
  t.false(ceph.isAttached);
});

const outOfRange = { exitCode: 13, stderr: 'Error EACCES: access denied' };
const faults: readonly (readonly [string, string, Answer, string])[] = [
  ['no right to block clients', 'blocklist add', outOfRange, 'ClientNotBlocked'],
  ['a missing command ceph', 'blocklist add', { exitCode: undefined, notFound: true }, 'CommandNotFound'],
  ['a silent monitor', 'blocklist add', { stderr: 'timed out' }, 'CephUnreachable'],
  ['a hanging command', 'status', { exitCode: undefined, timedOut: true }, 'CephUnreachable'],
  [
    'a silent OSD',
    'listomapkeys',
    { stderr: 'error getting omap key set p/blockstore-attached: (110) Connection timed out' },
    'CephUnreachable',
  ],
  ['no monitor', 'listomapkeys', { stderr: 'failed to fetch mon config (--no-mon-config to skip)' }, 'CephUnreachable'],
  ['half a list of watchers', 'status', '{"watchers":[{"addr', 'AnswerUnreadable'],
  ['a list of watchers without addresses', 'status', '{"watchers":[{"client":4}]}', 'AnswerUnreadable'],
  ['half a list of locks', 'lock ls', '[{"id":"auto 1","loc', 'AnswerUnreadable'],
  ['no list of blocked clients', 'blocklist ls', { exitCode: 5, stderr: 'Error EIO: ' }, 'RbdFailed'],
  ['an unreadable list of the pool', '--pool p ls', 'nonsense', 'AnswerUnreadable'],
];
for (const [title, words, answer, code] of faults) {
  test(`a detachment on a fake Ceph: ${title} is ${code}, and the volume stays attached`, async (t) => {
    const ceph = new FakeCeph({ [words]: answer });
    await t.throwsAsync(ceph.target.removeExport('v1'), { code });
    t.true(ceph.isAttached);
  });
}

test('a fake client that holds the lock, and is not seen otherwise, is blocked, in the list of either version', async (t) => {
  for (const locks of ['[{"address":"10.0.0.2:0/8"}]', '{"auto 1":{"address":"10.0.0.2:0/8"}}']) {
    const ceph = new FakeCeph({ status: '{"watchers":[]}', 'lock ls': locks });
    await ceph.target.removeExport('v1');
    t.true(ceph.calls.some((call) => call.includes(' add 10.0.0.2:0/8 ')));
  }
});

test('a client that is blocked already is neither waited for nor blocked again', async (t) => {
  const ceph = new FakeCeph({ 'blocklist ls': '10.0.0.1:0/7 2027-01-01T00:00:00.000000+0000\n' });
  await ceph.target.removeExport('v1');
  t.false(ceph.calls.some((call) => call.includes(' add ')));
  t.false(ceph.isAttached);
});

test('a fake Ceph before version 16 blocks clients by the name that the command had', async (t) => {
  const stderr = 'no valid command found; 10 closest matches:\nosd tree\nError EINVAL: invalid command';
  const unknown = { exitCode: 22, stderr };
  const ceph = new FakeCeph({ 'osd blocklist': unknown, 'blacklist ls': '' });
  await ceph.target.removeExport('v1');
  t.true(ceph.calls.some((call) => call.includes(' osd blacklist add 10.0.0.1:0/7 ')));
});

test('a client that comes back as another one is not followed for ever', async (t) => {
  const ceph = new FakeCeph();
  let number = 0;
  const run = ceph.run.bind(ceph);
  ceph.run = async (command, args) => {
    const result = await run(command, args);
    return args.includes('status')
      ? { ...result, stdout: `{"watchers":[{"address":"10.0.0.1:0/${++number}"}]}` }
      : result;
  };
  await t.throwsAsync(ceph.target.removeExport('v1'), { code: 'VolumeStillOpen' });
  t.true(ceph.isAttached);
  t.true(number < 20);
});

test('a volume without an attachment costs one look, whoever has it open', async (t) => {
  const ceph = new FakeCeph({ listomapkeys: 'v2\n' });
  await ceph.target.removeExport('v1');
  t.deepEqual(
    ceph.calls.map((call) => call.replace(/.*--pool p /, '')),
    ['listomapkeys blockstore-attached'],
  );
});

test('a start with many attached volumes looks once for all', async (t) => {
  const ids = Array.from({ length: 50 }, (_, index) => `v${index}`);
  const ceph = new FakeCeph({ listomapkeys: ids.join('\n'), 'mon dump': '{"fsid":"f","mons":[]}' });
  await Promise.all(
    ids.map((id) => ceph.target.ensureExport({ id, path: '', address: '', readOnly: false, hosts: [] })),
  );
  t.true(ceph.calls.filter((call) => call.startsWith('rados')).length <= 2, ceph.calls.join('\n'));
});
