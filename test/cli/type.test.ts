import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('types are created, listed, shown, updated and deleted', async (t) => {
  t.like(await place.run('type', 'list'), { exitCode: 0, stdout: '', stderr: 'no types' });
  const created = await place.run('type', 'create', 'fast', '--require', 'zone=nova', '--require', 'thin=no');
  t.like(created, { exitCode: 0, stderr: '' });
  const { stdout: id } = created;
  t.regex((await place.run('type', 'list')).stdout, new RegExp(`^${id} +fast +zone=nova, thin=no$`, 'm'));
  t.is((await place.run('type', 'create', 'fast')).exitCode, 5);
  const { stdout: volume } = await place.run('volume', 'create', '1', '--type', 'fast', '--name', 'data');
  t.like(await place.json('volume', 'show', 'data'), { type: id });
  const elsewhere = await place.run('volume', 'create', '1', '--type', 'fast', '--zone', 'mars');
  t.is(elsewhere.exitCode, 7);
  t.regex(elsewhere.stderr, /its zone is nova, not mars/);
  const apart = await place.run('volume', 'create', '1', '--apart-from', 'data');
  t.regex(apart.stderr, new RegExp(`its node has volume ${volume}`));
  const near = await place.run('volume', 'create', '1', '--near', 'data', '--json');
  t.like(JSON.parse(near.stdout), { node: 'n1' });

  const refused = await place.run('type', 'update', 'fast', '--require', 'zone=');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, new RegExp(`is that of volume ${volume}`));
  t.is((await place.run('type', 'delete', 'fast')).exitCode, 5);
  await place.run('volume', 'delete', 'data');
  t.is((await place.run('type', 'update', 'fast', '--require', 'zone=', '--name', 'any')).exitCode, 0);
  t.like(await place.json('type', 'show', 'any'), { id, requirements: { thin: 'no' }, description: null });
  t.like(await place.run('type', 'delete', 'any'), { exitCode: 0, stdout: id });
  t.is((await place.run('type', 'show', id)).exitCode, 4);
});

test.serial('a private type names the projects that can use it', async (t) => {
  t.is((await place.run('type', 'create', 'open', '--admit', 'lab')).exitCode, 2);
  t.is((await place.run('type', 'show', 'open')).exitCode, 4);
  const { stdout: id } = await place.run('type', 'create', 'secret', '--private', '--admit', 'lab', '--encrypted');
  t.like(await place.json('type', 'show', 'secret'), { id, isPublic: false, projects: ['lab'], qosSpec: null });
  t.regex((await place.run('type', 'show', 'secret')).stdout, /^projects +lab$/m);
  const { stdout: volume } = await place.run('volume', 'create', '1', '--type', 'secret');
  const { stdout: plain } = await place.run('volume', 'create', '1');
  t.like(await place.json('volume', 'show', volume), { encryptionKey: volume });
  const differs = await place.run('volume', 'retype', plain, 'secret');
  t.is(differs.exitCode, 5);
  t.regex(differs.stderr, /is not encrypted, and those of type secret are/);
  t.is((await place.run('type', 'update', 'secret', '--no-encrypted')).exitCode, 5);
  const other = await place.run('type', 'update', 'secret', '--exclude', 'lab', '--admit', 'office');
  t.is(other.exitCode, 0);
  t.like(await place.json('type', 'show', 'secret'), { projects: ['office'] });
  t.is((await place.run('type', 'update', 'secret', '--exclude', 'lab')).exitCode, 4);
  t.is((await place.run('type', 'update', 'secret', '--exclude', 'lab', '--admit', 'lab')).exitCode, 2);
  t.is((await place.run('type', 'update', 'secret', '--public', '--private')).exitCode, 2);
  t.is((await place.run('type', 'update', 'secret', '--public')).exitCode, 0);
  t.regex((await place.run('type', 'show', 'secret')).stdout, /^projects +all$/m);
});

test.serial('what is no requirement is refused', async (t) => {
  const { exitCode, stderr } = await place.run('type', 'create', 'odd', '--require', 'colour=red');
  t.is(exitCode, 2);
  t.regex(stderr, /colour.*one of backend, pool, driver/);
  t.is((await place.run('type', 'create', 'odd', '--require', 'thin=maybe')).exitCode, 2);
});
