import test from 'ava';
import { casesOf } from '../conformance.ts';
import { SolarisPlace } from './place.ts';

for (const { title, run } of casesOf(new SolarisPlace().made())) {
  test(`on a stand-in of COMSTAR: ${title}`, async (t) => {
    await run(new SolarisPlace());
    t.pass();
  });
}

test('the unit has the serial number that hosts recognise the volume by, and follows its size', async (t) => {
  const place = new SolarisPlace();
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
  const changes = full.shell.commands.filter(
    (words) => !words.some((word) => word.startsWith('list')) && words[0] === 'pfexec',
  );
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
