import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { newChap } from '../../../../lib/models/chap.ts';
import { Cliq, cliqDialect } from '../../../../lib/san/lefthand/cliq.ts';
import { casesOf } from '../conformance.ts';
import { LefthandPlace } from './place.ts';

async function placeFor(t: ExecutionContext): Promise<LefthandPlace> {
  const place = await LefthandPlace.create();
  t.teardown(() => place.remove());
  return place;
}

for (const { title, run } of casesOf({ authentication: 'chap' })) {
  test(`on a stand-in of LeftHand: ${title}`, async (t) => {
    await run(await placeFor(t));
    t.pass();
  });
}

test('an export with a secret is assigned to no server, and the other way round', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await place.volume();
  const assigned = () => {
    const { servers, logins } = place.device.volumes.get(spec.path) ?? { servers: new Map(), logins: new Map() };
    return [servers.size, logins.size];
  };
  await target.ensureExport(spec);
  t.deepEqual(assigned(), [1, 0]);
  await target.ensureExport({ ...spec, chap: newChap() });
  t.deepEqual(assigned(), [0, 1]);
  await target.ensureExport(spec);
  t.deepEqual(assigned(), [1, 0]);
});

test('hosts and secret of an export are in a file for root alone, and known where the storage does not show them', async (t) => {
  const place = await placeFor(t);
  place.device.showsSecrets = false;
  const spec = { ...(await place.volume()), chap: newChap() };
  await (await place.target()).ensureExport(spec);
  const later = await place.target();
  t.deepEqual(await later.listExports(), [spec]);
  const commands = place.shell.commands.length;
  await later.ensureExport(spec);
  t.is(place.shell.commands.length, commands, 'nothing is done');
  t.is((await stat(join(place.directory, `${spec.id}.json`))).mode & 0o777, 0o600);
  await later.removeExport(spec.id);
  t.deepEqual(await later.listTraces(), []);
});

test('a secret is in no error', async (t) => {
  const place = await placeFor(t);
  const { secret } = newChap();
  const cliq = new Cliq(place.shell);
  const command = ['assignVolumeChap', 'volumeName=none', 'chapName=user', `targetSecret=${secret}`, 'output=XML'];
  t.is(cliqDialect.shown(command), 'assignVolumeChap volumeName=none chapName=user targetSecret=***');
  const values = { volumeName: 'none', chapName: 'user', targetSecret: secret };
  const refused = await t.throwsAsync(cliq.run('assignVolumeChap', values));
  t.false(refused?.message.includes(secret));
  const permission = `<permission chapName="user" targetSecret="${secret}"/>`;
  for (const stdout of [permission.slice(0, -8), permission]) {
    place.shell.alter = () => ({ stdout, stderr: '', exitCode: 0 });
    const error = await t.throwsAsync(cliq.run('getVolumeInfo'));
    t.regex(error?.message ?? '', /targetSecret=\*\*\*/);
    t.false(error?.message.includes(secret.slice(0, 5)));
  }
});
