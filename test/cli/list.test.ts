import test from 'ava';
import { z } from 'zod';
import { fakeNode, insertVolume } from '../support/records.ts';
import { CliPlace } from './place.ts';

const count = 1200;
const listed = z.object({
  volumes: z.array(z.object({ id: z.string(), name: z.string(), createTime: z.iso.datetime() })),
  next: z.string().nullable(),
});

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  const store = await place.store();
  await fakeNode(store, 'n1', { backends: [{}] });
  for (let number = 0; number < count; number += 1) {
    const projectId = number % 3 === 0 ? 'third' : 'rest';
    const status = number % 100 === 0 ? 'available' : 'creating';
    await insertVolume(store, { name: `v${number}`, node: 'n2', projectId, status });
  }
});
test.after.always(() => place.close());

const list = async (...args: string[]) => listed.parse(await place.json('volume', 'list', ...args));

test.serial('list prints all volumes in order of creation, aligned', async (t) => {
  const { stdout } = await place.run('volume', 'list');
  const [head = '', ...rows] = stdout.split('\n');
  t.is(rows.length, count);
  t.regex(head, /^ID +NAME +SIZE +STATUS +HOST +ADDRESS/);
  const times = (await list()).volumes.map((volume) => volume.createTime);
  t.deepEqual(times, times.toSorted());
});

test.serial('pages by marker contain each volume once', async (t) => {
  const names: string[] = [];
  let marker: string | null = null;
  do {
    const page: z.infer<typeof listed> = await list('--limit', '500', ...(marker === null ? [] : ['--marker', marker]));
    names.push(...page.volumes.map((volume) => volume.name));
    marker = page.next;
  } while (marker !== null);
  t.is(names.length, count);
  t.is(new Set(names).size, count);
});

test.serial('filters and limits combine', async (t) => {
  t.is((await list('--project', 'third')).volumes.length, 400);
  t.is((await list('--status', 'available')).volumes.length, 12);
  t.is((await list('--status', 'available', '--project', 'third')).volumes.length, 4);
  t.is((await list('--node', 'n1')).volumes.length, 0);
  const first = await list('--status', 'available', '--limit', '5');
  const rest = await list('--status', 'available', '--marker', String(first.next));
  t.deepEqual([first.volumes.length, rest.volumes.length, rest.next], [5, 7, null]);
  const human = await place.run('volume', 'list', '--limit', '2');
  t.regex(human.stderr, /^more volumes: --marker \d+:[0-9a-f-]{36}$/);
});

test.serial('a closed pipe ends list without an error', async (t) => {
  const { exitCode, stdout, stderr } = await place.shell('set -o pipefail; blockstore volume list | head -n 2');
  t.deepEqual({ exitCode, stderr, lines: stdout.split('\n').length }, { exitCode: 0, stderr: '', lines: 2 });
});

test.serial('colours appear on terminals unless disabled', async (t) => {
  const escape = '\u001B[';
  t.true((await place.terminal('blockstore volume list --limit 3')).stdout.includes(escape));
  t.false((await place.terminal('blockstore volume list --limit 3 --no-color')).stdout.includes(escape));
  t.false((await place.terminal('NO_COLOR=1 blockstore volume list --limit 3')).stdout.includes(escape));
  t.false((await place.run('volume', 'list', '--limit', '3')).stdout.includes(escape));
  const forced = { FORCE_COLOR: '1', NO_COLOR: '1' };
  const { stderr } = await place.spawn('blockstore', ['volume', 'show', 'none'], forced);
  t.is(stderr, 'blockstore: volume none does not exist\n  list the volumes: blockstore volume list');
});
