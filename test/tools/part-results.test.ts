import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { presentCommit } from '../../tools/part-inputs.ts';
import { PartResults, holds } from '../../tools/part-results.ts';

const part = { name: 'crash-file-create', scope: 'programs' } as const;
const author = ['-c', 'user.name=test', '-c', 'user.email=test@example.com'];
const passed = { passed: 1, failed: 0, skipped: 0, seconds: 61.4 };

test('a result holds until a file that its part depends on changes, and names that file then', async (t) => {
  const { root, change, commit } = await repository(t);
  const results = new PartResults(root);
  t.true(await results.keep(part, await presentCommit(root), passed));
  const known = async () => {
    const later = new PartResults(root);
    await later.read();
    const result = await later.of(part);
    return result && { holds: holds(result), changed: result.changed, seconds: result.seconds };
  };
  t.deepEqual(await known(), { holds: true, changed: [], seconds: 61 });

  await change('docs/design.md');
  await change('test/lib/files.test.ts');
  t.deepEqual(await known(), { holds: true, changed: [], seconds: 61 });

  await change('lib/files.ts');
  t.deepEqual(await known(), { holds: false, changed: ['lib/files.ts'], seconds: 61 });
  await commit();
  await change('lib/new.ts');
  t.deepEqual(await known(), { holds: false, changed: ['lib/files.ts', 'lib/new.ts'], seconds: 61 });
});

test('a result is kept only for what is committed', async (t) => {
  const { root, change, commit } = await repository(t);
  const results = new PartResults(root);
  const before = await presentCommit(root);
  await change('lib/files.ts');
  t.false(await results.keep(part, before, passed));
  await commit();
  t.false(await results.keep(part, before, passed));
  t.true(await results.keep(part, await presentCommit(root), passed));
});

test('parts that passed are recorded with their commit, failed ones are not', async (t) => {
  const { root } = await repository(t);
  const results = new PartResults(root);
  const other = { ...part, name: 'crash-file-delete' };
  const commit = await presentCommit(root);
  await results.keep(part, commit, passed);
  await results.keep(other, commit, { ...passed, failed: 1 });
  t.is(await results.record([part, other]), 'test/all-results.json');
  const clone = path.join(root, 'var', 'clone');
  await execa('git', ['clone', '--quiet', root, clone]);
  await writeFile(path.join(root, 'var', 'test-all.json'), '{}');
  await results.read();
  t.is((await results.of(part))?.commit, commit);
  t.is(await results.of(other), undefined);
});

test('a result at a commit that the repository does not have does not hold', async (t) => {
  const { root } = await repository(t);
  const date = '2026-01-01';
  await mkdir(path.join(root, 'test'), { recursive: true });
  await writeFile(
    path.join(root, 'test', 'all-results.json'),
    JSON.stringify({ [part.name]: { commit: 'abcdef123456', date, ...passed } }),
  );
  const results = new PartResults(root);
  await results.read();
  const result = await results.of(part);
  t.is(result?.changed, undefined);
  t.false(result === undefined || holds(result));
});

/** A repository with one commit. */
async function repository(t: ExecutionContext) {
  const root = await mkdtemp(path.join(tmpdir(), 'part-results-'));
  t.teardown(() => rm(root, { recursive: true }));
  const git = (...args: string[]) => execa('git', args, { cwd: root });
  let count = 0;
  const change = async (file: string) => {
    await mkdir(path.join(root, path.dirname(file)), { recursive: true });
    await writeFile(path.join(root, file), `${(count += 1)}`);
  };
  const commit = async () => {
    await git('add', '--all');
    await git(...author, 'commit', '--quiet', '--no-verify', '--message', `Change ${count}`);
  };
  await git('init', '--quiet');
  await writeFile(path.join(root, '.gitignore'), '/var/\n');
  for (const file of ['docs/design.md', 'lib/files.ts', 'test/lib/files.test.ts']) await change(file);
  await commit();
  return { root, change, commit };
}
