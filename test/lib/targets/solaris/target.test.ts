import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { newChap } from '../../../../lib/models/chap.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import type { SolarisTarget } from '../../../../lib/targets/solaris/target.ts';
import { casesOf } from '../conformance.ts';
import { SolarisPlace } from './place.ts';

function placeFor(t: ExecutionContext): SolarisPlace {
  const place = new SolarisPlace();
  t.teardown(() => place.remove());
  return place;
}

for (const { title, run } of casesOf(new SolarisPlace().made())) {
  test(`on a stand-in of COMSTAR: ${title}`, async (t) => {
    await run(placeFor(t));
    t.pass();
  });
}

test('the unit has the serial number that hosts recognise the volume by, and follows its size', async (t) => {
  const place = placeFor(t);
  const target = await place.target();
  const spec = await place.volume();
  await target.ensureExport(spec);
  const [unit] = place.device.comstar.units.values();
  t.is(unit?.serial, spec.id);
  t.is(spec.address, `192.0.2.9:3260,1 iqn.2010-10.org.openstack:volume-${spec.id} 0`);
  place.device.zfs.run(['set', 'volsize=2G', `tank/volume-${spec.id}`]);
  await (await place.target()).ensureExport(spec);
  t.is(unit?.size, 2 ** 31);
});

test('what is half made is a trace, is no export, and is completed or removed', async (t) => {
  const full = new SolarisPlace();
  const complete = await full.volume();
  await (await full.target()).ensureExport({ ...complete, hosts: [full.hosts[0]] });
  const changes = full.shell.commands
    .filter((words) => words.includes('pfexec') && !words.some((word) => word.startsWith('list')))
    .map((words) => words.slice(words.indexOf('pfexec')));
  t.true(changes.length >= 6);
  for (let made = 1; made < changes.length; made += 1) {
    for (const isRemoved of [true, false]) {
      const place = new SolarisPlace();
      const spec = { ...(await place.volume()), hosts: [place.hosts[0]] };
      const of = (word: string) => word.replaceAll(complete.id, spec.id);
      for (const words of changes.slice(0, made)) t.is(place.device.words(words.map(of)).exitCode, 0, words.join(' '));
      const target = await place.target();
      t.deepEqual(await target.listTraces(), [spec.id]);
      t.deepEqual(
        (await target.listExports()).filter(({ id }) => id !== undefined),
        [],
      );
      if (isRemoved) await target.removeExport(spec.id);
      else await target.ensureExport(spec);
      t.deepEqual(
        (await target.listExports()).map(({ hosts }) => hosts),
        isRemoved ? [] : [spec.hosts],
      );
      t.deepEqual(await target.listTraces(), isRemoved ? [] : [spec.id]);
    }
  }
});

test('an initiator in a group that somebody else made is named with the command that helps', async (t) => {
  const place = new SolarisPlace();
  const [host] = place.hosts;
  place.device.comstar.hostGroups.set('esx', new Set([host]));
  const target = await place.target();
  const spec = await place.volume();
  await t.throwsAsync(target.ensureExport({ ...spec, hosts: [host] }), {
    code: 'ExportFailed',
    message: /is in the host group esx/,
  });
  t.deepEqual(await place.users(spec), []);
  t.true(place.device.comstar.targets.size === 0);
});

test('targets of others are listed without a volume, and left alone', async (t) => {
  const place = new SolarisPlace();
  place.device.comstar.itadm(['create-target', '-n', 'iqn.1986-03.com.sun:02:other']);
  const spec = await place.volume();
  const target = await place.target();
  await target.ensureExport(spec);
  await target.removeExport(spec.id);
  t.deepEqual(
    (await target.listExports()).map(({ id, address }) => [id, address]),
    [[undefined, '192.0.2.9:3260,1 iqn.1986-03.com.sun:02:other 0']],
  );
});

test('volumes of one host share its secret, which goes with the last of them', async (t) => {
  const place = placeFor(t);
  const target = place.made();
  const [host, other] = place.hosts;
  const attached = async () => {
    const volume = await place.volume();
    const chap = await target.shareChap(volume.id, [host], newChap());
    return { ...volume, hosts: [host], chap };
  };
  const [first, second] = await Promise.all([attached(), attached()]);
  t.deepEqual(first.chap, second.chap, 'although both are attached at once');
  await Promise.all([first, second].map((spec) => target.ensureExport(spec)));
  const session = await place.login(first, host, first.chap);
  const third = { ...(await place.volume()), hosts: [host] };
  // A daemon that has started since.
  const later = place.made();
  const chap = await later.shareChap(third.id, third.hosts, newChap());
  t.deepEqual(chap, first.chap);
  await later.ensureExport({ ...third, chap });
  await session.write(0, Buffer.from('goes on'));
  t.notDeepEqual(await later.shareChap(third.id, [other], newChap()), first.chap);
  await later.removeExport(first.id);
  await later.removeExport(third.id);
  await (await place.login(second, host, chap)).close();
  await later.removeExport(second.id);
  t.is(place.device.comstar.initiators.size, 0);
  t.deepEqual(await later.listTraces(), []);
  t.notDeepEqual(await later.shareChap(third.id, [host], newChap()), first.chap, 'who had it cannot use it again');
});

test('an initiator that an export does not admit any more has no secret', async (t) => {
  const place = placeFor(t);
  const target = await place.target();
  const [one, other] = place.hosts;
  const spec = { ...(await place.volume()), hosts: [one], chap: newChap() };
  await target.ensureExport(spec);
  await target.ensureExport({ ...spec, hosts: [other] });
  t.deepEqual([...place.device.comstar.initiators.keys()], [other]);
  await t.throwsAsync(place.login(spec, one, spec.chap));
  await (await place.login(spec, other, spec.chap)).close();
});

test('hosts with secrets of their own cannot have a volume in common', async (t) => {
  const place = placeFor(t);
  const target = await place.target();
  const [one, other] = place.hosts;
  for (const host of place.hosts)
    await target.ensureExport({ ...(await place.volume()), hosts: [host], chap: newChap() });
  const volume = await place.volume();
  await t.throwsAsync(place.made().shareChap(volume.id, [one, other], newChap()), {
    code: 'ExportFailed',
    message: /its hosts .*one, .*two have different CHAP secrets already/,
  });
  await t.throwsAsync(target.ensureExport({ ...volume, hosts: [one], chap: newChap() }), {
    code: 'ExportFailed',
    message: /the initiator .*one has another CHAP secret for volume/,
  });
  t.is(place.device.comstar.initiators.size, 2);
  await t.throwsAsync(target.ensureExport({ ...volume, chap: newChap() }), {
    message: /of initiators by name, not of all/,
  });
});

test('the secret of an initiator that somebody else has set is left alone, and named', async (t) => {
  const place = placeFor(t);
  const { initiators } = place.device.comstar;
  const target = await place.target();
  const [host, other] = place.hosts;
  for (const foreign of [
    { user: '', secret: 'secret-of-admin' },
    { user: 'esx', secret: 'secret-of-admin' },
    { user: 'esx', secret: '' },
  ]) {
    initiators.set(host, foreign);
    const spec = { ...(await place.volume()), hosts: [host], chap: newChap() };
    const error = await t.throwsAsync(target.ensureExport(spec), { code: 'ExportFailed', message: /has not set/ });
    t.is(error?.message.includes('(user esx)'), foreign.user === 'esx');
    await target.removeExport(spec.id);
    t.deepEqual(initiators.get(host), foreign);
    t.deepEqual(await target.listTraces(), []);
    t.is(place.device.comstar.targets.size, 0);
  }
  initiators.set(other, { user: '', secret: '' });
  const spec = { ...(await place.volume()), hosts: [other], chap: newChap() };
  await target.ensureExport(spec);
  await (await place.login(spec, other, spec.chap)).close();
  // Somebody sets another one: the sessions of now go on, and it is named.
  initiators.set(other, { user: 'esx', secret: 'secret-of-admin' });
  await t.throwsAsync(place.made().ensureExport(spec), { message: /has not set/ });
  t.true(place.device.comstar.targets.get(`iqn.2010-10.org.openstack:volume-${spec.id}`));
  await target.removeExport(spec.id);
  t.true(initiators.has(other));
});

test('a secret is in a file for root alone and in no command, and is known again after a loss of the files', async (t) => {
  const place = placeFor(t);
  const [host] = place.hosts;
  const spec = { ...(await place.volume()), hosts: [host], chap: newChap() };
  await (await place.target()).ensureExport(spec);
  const file = join(place.directory, `${spec.id}.json`);
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.false(place.shell.commands.flat().join(' ').includes(spec.chap.secret));
  await rm(place.directory, { recursive: true });
  const later = await place.target();
  t.is((await later.listExports())[0]?.chap, undefined);
  await later.ensureExport(spec);
  t.deepEqual(await later.listExports(), [spec]);
  const { length } = place.shell.commands;
  await later.ensureExport(spec);
  t.is(place.shell.commands.length, length, 'nothing is done');
  await later.removeExport(spec.id);
  t.deepEqual(await later.listTraces(), []);
  t.is(place.device.comstar.initiators.size, 0);
});

test('an export with a secret whose making, change or removal is interrupted is completed or removed', async (t) => {
  const works: ((target: SolarisTarget, spec: ExportSpec) => Promise<void>)[] = [
    (target, spec) => target.ensureExport({ ...spec, chap: newChap() }),
    (target, spec) => target.ensureExport({ ...spec, chap: undefined }),
    (target, spec) => target.removeExport(spec.id),
  ];
  for (const isMade of [false, true]) {
    for (const work of isMade ? works : works.slice(0, 1)) {
      for (let passed = 0, isOver = false; !isOver; passed += 1) {
        for (const isRemoved of [true, false]) {
          const place = placeFor(t);
          const spec = { ...(await place.volume()), hosts: [place.hosts[0]], chap: newChap() };
          if (isMade) await place.made().ensureExport(spec);
          isOver = await interrupted(place, passed, () => work(place.made(), spec));
          const target = place.made();
          const next = { ...spec, chap: newChap() };
          if (isRemoved) await target.removeExport(spec.id);
          else await target.ensureExport(next);
          t.deepEqual(await target.listExports(), isRemoved ? [] : [next]);
          if (!isRemoved) await (await place.login(next, place.hosts[0], next.chap)).close();
          await target.removeExport(spec.id);
          t.deepEqual(await target.listTraces(), []);
          t.is(place.device.comstar.initiators.size, 0);
        }
      }
    }
  }
});

/** Whether the work ends although only so many of its commands that change something are carried out. */
async function interrupted({ shell }: SolarisPlace, passed: number, work: () => Promise<void>): Promise<boolean> {
  const run = shell.run.bind(shell);
  let left = passed;
  shell.run = async (words, options) => {
    if (words.some((word) => word.startsWith('list'))) return run(words, options);
    left -= 1;
    if (left < 0) throw new Error('interrupted');
    return run(words, options);
  };
  try {
    await work();
    return true;
  } catch {
    return false;
  } finally {
    shell.run = run;
  }
}
