import test from 'ava';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('node-one');
  await place.run('volume', 'create', '1', '--name', 'data one');
  await place.run('volume', 'create', '1', '--name', 'database');
});
test.after.always(() => place.close());

/** Returns the candidates for the last word; none where that takes longer than a user waits. */
async function offered(...words: string[]): Promise<string[]> {
  const { stdout } = await place.run('__complete', '--', ...words);
  return stdout.split('\n').map((line) => line.split('\t')[0] ?? '');
}

/** The same of words that have candidates: a machine under load offers them with a later try. */
async function candidates(...words: string[]): Promise<string[]> {
  let found = [''];
  await until(
    async () => {
      found = await offered(...words);
      return found.join('') !== '';
    },
    `something is offered for ${words.join(' ')}`,
  );
  return found;
}

test.serial('commands, options and their values are completed from the command tree', async (t) => {
  t.deepEqual(await candidates('vol'), ['volume']);
  t.deepEqual(await candidates('volume', 'de'), ['detach', 'delete']);
  t.deepEqual(await candidates('volume', 'list', '--st'), ['--status']);
  t.deepEqual(await candidates('volume', 'list', '--js'), ['--json']);
  t.deepEqual(await candidates('volume', 'list', '--status', 'av'), ['available']);
  t.deepEqual(await candidates('volume', 'attach', 'x', '--mode', ''), ['rw', 'ro']);
  t.deepEqual(await candidates('completion', ''), ['bash', 'zsh', 'fish']);
  t.deepEqual(await candidates('--config', ''), [':files']);
});

test.serial('volumes and nodes are completed from the cluster', async (t) => {
  t.deepEqual(await candidates('volume', 'show', 'data'), ['data one', 'database']);
  t.deepEqual(await candidates('volume', 'delete', 'x', 'datab'), ['database']);
  t.deepEqual(await candidates('volume', 'list', '--node', ''), ['node-one']);
  const [id = ''] = (await place.json('volume', 'list').then(JSON.stringify)).match(/[0-9a-f-]{36}/) ?? [];
  t.deepEqual(await candidates('volume', 'wait', id.slice(0, 8)), [id]);
  t.deepEqual(await offered('volume', 'show', '--set', 'redis_prefix=empty', 'data'), ['']);
});

test.serial('snapshots are completed, and users and projects where they are meant', async (t) => {
  await place.run('snapshot', 'create', 'database', '--name', 'before-upgrade');
  t.deepEqual(await candidates('volume', 'revert', 'database', 'bef'), ['before-upgrade']);
  await place.run('project', 'create', 'web');
  await place.run('project', 'create', 'worker');
  await place.run('user', 'create', 'bob', '--no-password', '--project', 'web');
  t.deepEqual(await candidates('user', 'show', ''), ['bob']);
  t.deepEqual(await candidates('user', 'delete', 'bob', 'b'), ['bob']);
  t.deepEqual((await candidates('project', 'show', 'w')).toSorted(), ['web', 'worker']);
  t.deepEqual(await candidates('user', 'grant', 'bob', '--project', 'we'), ['web']);
  t.deepEqual(await candidates('token', 'issue', 'bo'), ['bob']);
  // A volume has an id there, or any other text.
  t.deepEqual(await offered('volume', 'create', '1', '--project', 'w'), ['']);
});

test.serial('names of every script are completed, but none that would control the terminal', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', '表');
  await until(async () => (await offered('volume', 'show', '')).includes('表'), 'the name is offered');
  const store = await place.store();
  await store.redis.zadd(store.keys.volumeNames(), 0, `z\u001B[2J\0${id}`);
  t.deepEqual(await offered('volume', 'show', 'z'), ['']);
});

test.serial('completion prints nothing while Redis is unreachable', async (t) => {
  const { exitCode, stdout, stderr } = await place.run(
    '__complete',
    '--',
    '--redis-url',
    'unix:/nosuch',
    'volume',
    'show',
    '',
  );
  t.deepEqual({ exitCode, stdout, stderr }, { exitCode: 0, stdout: '', stderr: '' });
});

test.serial('the bash script completes', async (t) => {
  const line = (...words: string[]) =>
    `source <(blockstore completion bash); COMP_WORDS=(blockstore ${words.join(' ')}); COMP_CWORD=${words.length};
     _blockstore; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const completed = async (...words: string[]) => (await place.shell(line(...words))).stdout;
  await until(async () => (await completed('volume', 'cr')) === 'create', 'the command is completed');
  const names = 'data\\ one\ndatabase';
  await until(async () => (await completed('volume', 'show', 'data')) === names, 'the names are completed');
  t.deepEqual(await completed('volume', 'show', 'zz'), '');
});
