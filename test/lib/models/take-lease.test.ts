import test from 'ava';
import { formatHolder, relationOf } from '../../../lib/models/lease-holder.ts';
import { type LeaseAnswer, takeLease } from '../../../lib/models/take-lease.ts';

const holder = (given: Partial<Record<'host' | 'state' | 'machine' | 'boot' | 'lock', string>> = {}) =>
  formatHolder({
    host: 'host1',
    state: 'a'.repeat(32),
    machine: 'b'.repeat(32),
    boot: 'c'.repeat(32),
    lock: '8.1a',
    ...given,
  });
const ours = holder();
const beforeReboot = holder({ boot: 'd'.repeat(32) });
const otherLock = holder({ lock: '8.1b' });
const elsewhere = holder({ machine: 'e'.repeat(32) });

/** Takes a lease of which attempts find these holders, who were quiet so many seconds; an attempt as that holder succeeds. */
async function take(
  found: readonly [holder: string, quietS: number][],
): Promise<{ attempts: string[]; token: string }> {
  const attempts: string[] = [];
  const answers = [...found];
  const attempt = async (as: string): Promise<LeaseAnswer> => {
    attempts.push(as);
    const [held, quietS] = (answers.length > 1 ? answers.shift() : answers[0]) ?? ['', 0];
    return held === '' || held === as
      ? { word: 'ok', token: `token of ${as}` }
      : { word: 'NodeNameTaken', holder: held, leftMs: 12_000, quietMs: quietS * 1000 };
  };
  const lease = { node: 'n1', holder: ours, leaseMs: 60_000, quietMs: 20_000 };
  return { token: await takeLease(lease, attempt), attempts };
}

test('holders are the same, of another run, of a clone, or unrelated', (t) => {
  t.is(relationOf(ours, holder({ host: 'renamed' })), 'same');
  t.is(relationOf(ours, beforeReboot), 'earlierBoot');
  t.is(relationOf(ours, otherLock), 'otherLock');
  t.is(relationOf(ours, ours.replace(', lock 8.1a', '')), 'otherLock', 'an earlier version wrote no lock');
  t.is(relationOf(ours, elsewhere), 'clone');
  t.is(relationOf(ours, holder({ state: 'f'.repeat(32) })), 'unrelated');
  t.is(relationOf(ours, 'anything else'), 'unrelated');
});

test('a free lease, and that of an earlier daemon on a renamed host, is taken at once', async (t) => {
  t.is((await take([['', 0]])).token, `token of ${ours}`);
  const renamed = holder({ host: 'renamed' });
  t.deepEqual((await take([[renamed, 1]])).attempts, [ours, renamed]);
});

test('the lease of this machine before its reboot is taken once its holder has been quiet', async (t) => {
  t.deepEqual((await take([[beforeReboot, 21]])).attempts, [ours, beforeReboot]);
  const { attempts } = await take([
    [beforeReboot, 19],
    [beforeReboot, 19.5],
    [beforeReboot, 20.1],
  ]);
  t.deepEqual(attempts, [ours, ours, ours, beforeReboot]);
});

test('a holder with the same state directory and machine id that renews its lease is a clone', async (t) => {
  const renewed: [string, number][] = [
    [beforeReboot, 5],
    [beforeReboot, 0],
  ];
  await t.throwsAsync(take(renewed), { code: 'MachineCloned' });
});

test('the lease of a copy of the state directory on this machine is taken once it is quiet, and refused while it is renewed', async (t) => {
  const quiet: [string, number][] = [
    [otherLock, 19],
    [otherLock, 20.1],
  ];
  t.deepEqual((await take(quiet)).attempts, [ours, ours, otherLock]);
  const renewed: [string, number][] = [
    [otherLock, 5],
    [otherLock, 0],
  ];
  await t.throwsAsync(take(renewed), { code: 'StateDirTaken', message: /a copy of it/ });
});

test('a clone is refused the name of its twin with both named', async (t) => {
  const error = await t.throwsAsync(take([[elsewhere, 1]]), { code: 'MachineCloned' });
  t.true(error.message.includes(elsewhere) && error.message.includes(ours), error.message);
});

test('a name that another node holds is refused at once', async (t) => {
  await t.throwsAsync(take([['somebody else', 12]]), {
    code: 'NodeNameTaken',
    message: /somebody else for another 12 s/,
  });
});
