import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('quotas are set, shown, listed, met and deleted', async (t) => {
  t.like(await place.run('quota', 'list'), { exitCode: 0, stdout: '', stderr: 'no quotas' });
  t.like(await place.run('quota', 'set', '--default', '--volumes', '5'), { exitCode: 0, stdout: '*' });
  t.like(await place.run('quota', 'set', 'web shop', '--gigabytes', '3'), { exitCode: 0, stdout: 'web shop' });
  const { stdout: id } = await place.run('volume', 'create', '2', '--project', 'web shop');
  t.deepEqual(await place.json('quota', 'show', 'web shop'), {
    project: 'web shop',
    volumes: { used: 1, limit: 5, isDefault: true },
    gigabytes: { used: 2, limit: 3, isDefault: false },
    snapshots: { used: 0, limit: null, isDefault: true },
  });
  const shown = await place.run('quota', 'show', 'web shop');
  t.regex(shown.stdout, /^volumes +1 of 5 \(the limit of every project\)$/m);
  t.regex(shown.stdout, /^gigabytes +2 of 3$/m);
  t.regex(shown.stdout, /^snapshots +0 of unlimited$/m);
  const listed = (await place.run('quota', 'list')).stdout.split('\n');
  t.regex(listed[0] ?? '', /^PROJECT +VOLUMES +GIB +SNAPSHOTS$/);
  t.regex(listed[1] ?? '', /^\(every project\) +5 +unlimited +unlimited$/);
  t.regex(listed[2] ?? '', /^web shop +1 of 5 +2 of 3 +0 of unlimited$/);

  const refused = await place.run('volume', 'create', '2', '--project', 'web shop', '--json');
  t.is(refused.exitCode, 6);
  t.like(JSON.parse(refused.stderr), {
    error: {
      code: 'QuotaExceeded',
      message: 'the quota of project web shop has no room: 2 GiB asked, 2 of 3 GiB used',
      hint: 'delete what is not needed, or raise the quota: blockstore quota set "web shop"',
    },
  });
  await place.run('volume', 'delete', id);
  t.like(await place.run('quota', 'set', 'web shop', '--gigabytes', 'default'), { exitCode: 0 });
  t.like(await place.run('quota', 'delete', 'web shop'), { exitCode: 4, stdout: '' });
  t.like(await place.run('quota', 'set', 'lab', '--snapshots', 'unlimited'), { exitCode: 0 });
  t.like(await place.run('quota', 'delete', 'lab'), { exitCode: 0, stdout: 'lab' });
});

test.serial('what is no quota is refused', async (t) => {
  for (const [args, message] of [
    [['set', 'web'], /give at least one limit/],
    [['set', '--volumes', '1'], /either a project or --default/],
    [['set', 'web', '--default', '--volumes', '1'], /either a project or --default/],
    [['set', 'web', '--volumes', '-1'], /volumes/],
    [['set', 'web', '--gigabytes', '1.5'], /gigabytes .*a whole number up to 1000000, unlimited, or default/],
    [['set', 'web', '--snapshots', '1000001'], /snapshots/],
  ] as const) {
    const { exitCode, stderr } = await place.run('quota', ...args);
    t.is(exitCode, 2, stderr);
    t.regex(stderr, message);
  }
});
