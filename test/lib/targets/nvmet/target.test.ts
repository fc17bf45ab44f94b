import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ConfigfsFailure } from '../../../../lib/targets/configfs.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { until } from '../../../support/until.ts';
import { casesOf } from '../conformance.ts';
import { Place, prefix } from './place.ts';

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create();
  t.teardown(() => place.remove());
  return place;
}

async function volumeOf(place: Place, fields: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  return { ...(await place.volume()), hosts: [place.hosts[0]], ...fields };
}

function pathOf({ id }: ExportSpec): string {
  return `subsystems/${prefix}volume-${id}`;
}

/** What is made, by the objects of the kernel; not the reading of a size. */
function changesOf({ configfs }: Place): string[] {
  return configfs.changes.filter((change) => !change.endsWith('/revalidate_size'));
}

for (const { title, run } of casesOf({ authentication: 'none' })) {
  test(`on a stand-in of configfs: ${title}`, async (t) => {
    await run(await placeFor(t));
    t.pass();
  });
}

test('an export is presented last, with its identity and its hosts set before', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const { configfs } = place;
  const path = pathOf(spec);
  t.is(configfs.changes.at(-1), `link ports/2010/subsystems/${prefix}volume-${spec.id}`);
  t.is(await configfs.read(`${path}/attr_serial`), spec.id.replaceAll('-', '').slice(0, 20));
  t.is(await configfs.read(`${path}/namespaces/1/device_uuid`), spec.id);
  t.is(await configfs.read(`${path}/namespaces/1/device_nguid`), spec.id);
  t.is(await configfs.read(`${path}/attr_allow_any_host`), '0');
  t.deepEqual(await configfs.links(`${path}/allowed_hosts`), [place.hosts[0]]);
});

test('what is as specified is not changed; the kernel reads the size of its storage again', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  for (const spec of [await volumeOf(place), await volumeOf(place, { hosts: [] })]) {
    await target.ensureExport(spec);
    const { length } = changesOf(place);
    await target.ensureExport(spec);
    await place.made().ensureExport(spec);
    t.is(changesOf(place).length, length);
    t.is(place.configfs.changes.at(-1), `write ${pathOf(spec)}/namespaces/1/revalidate_size`);
  }
});

test('a kernel without the attribute for a new size exports all the same', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  place.configfs.before = (_, path) => {
    if (path.endsWith('/revalidate_size')) throw new ConfigfsFailure(path, 'EACCES');
  };
  await t.notThrowsAsync(target.resizeExport(spec));
});

test('a crash at any change of an export is made good by the next request', async (t) => {
  const place = await placeFor(t);
  const spec = await volumeOf(place, { hosts: place.hosts });
  const target = await place.target();
  const { configfs } = place;
  const none = configfs.state();
  await target.ensureExport(spec);
  const whole = configfs.state();
  await target.removeExport(spec.id);
  t.is(configfs.state(), none);
  let points = 0;
  while (await configfs.crashAt(points, () => target.ensureExport(spec))) {
    const traces = await target.listTraces();
    t.deepEqual(traces, points === 0 ? [] : [spec.id], `it is found, ${points}`);
    await place.made().ensureExport(spec);
    t.is(configfs.state(), whole, `creation, ${points}`);
    await target.removeExport(spec.id);
    t.is(configfs.state(), none);
    points += 1;
  }
  t.true(points > 15);
  for (points = 0; ; points += 1) {
    await target.ensureExport(spec);
    if (!(await configfs.crashAt(points, () => target.removeExport(spec.id)))) break;
    const isGone = (await configfs.directories('subsystems')).length === 0;
    t.deepEqual(await target.listTraces(), isGone ? [] : [spec.id], 'it is found');
    await place.made().removeExport(spec.id);
    await place.made().ensureExport(spec);
    await place.made().removeExport(spec.id);
    t.is(configfs.state(), none, `removal, ${points}`);
  }
  t.true(points > 8);
});

test('exports share a port that goes with the last of them, and hosts that none admits go', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const { configfs } = place;
  const [one, other] = [await volumeOf(place), await volumeOf(place, { hosts: place.hosts })];
  await Promise.all([target.ensureExport(one), target.ensureExport(other)]);
  t.deepEqual(await configfs.directories('ports'), ['2010']);
  const session = await place.login(one, place.hosts[0]);
  await target.removeExport(other.id);
  await session.read(0, 512);
  t.deepEqual(await configfs.directories('hosts'), [place.hosts[0]]);
  await target.removeExport(one.id);
  t.deepEqual(await configfs.directories('ports'), []);
  t.deepEqual(await configfs.directories('hosts'), []);
});

test("others' subsystems, ports and hosts have no id and are left alone, also where they are named as ours are", async (t) => {
  const place = await placeFor(t);
  const { configfs } = place;
  const target = await place.target();
  const theirs = await volumeOf(place);
  for (const path of [pathOf(theirs), `${pathOf(theirs)}/namespaces/10`, 'ports/1', `hosts/${place.hosts[0]}`]) {
    await configfs.create(path);
  }
  await configfs.write(`${pathOf(theirs)}/namespaces/10/device_path`, theirs.path);
  await configfs.write(`${pathOf(theirs)}/namespaces/10/enable`, '1');
  await configfs.link(`${pathOf(theirs)}/allowed_hosts/${place.hosts[0]}`, `hosts/${place.hosts[0]}`);
  await configfs.write('ports/1/addr_trtype', 'tcp');
  await configfs.write('ports/1/addr_traddr', '127.0.0.1');
  await configfs.write('ports/1/addr_trsvcid', String(place.port + 1));
  await configfs.link('ports/1/subsystems/x', pathOf(theirs));
  const before = configfs.state();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  t.deepEqual(await target.listTraces(), [spec.id]);
  const found = (await target.listExports()).find(({ path }) => path === theirs.path);
  t.deepEqual(found, {
    address: `127.0.0.1:${place.port + 1} tcp ${prefix}volume-${theirs.id} 1`,
    path: theirs.path,
    readOnly: false,
    hosts: [place.hosts[0]],
  });
  await target.removeExport(spec.id);
  t.is(configfs.state(), before);
});

test('an export that another program has restored is none of ours, and is replaced or removed', async (t) => {
  const place = await placeFor(t);
  const { configfs } = place;
  const target = await place.target();
  const spec = await volumeOf(place);
  const restore = async () => {
    const path = pathOf(spec);
    for (const one of [path, `${path}/namespaces/1`, 'ports/2010', 'hosts/nqn.2014-08.com.example:former']) {
      await configfs.create(one);
    }
    const attributes = {
      [`${path}/attr_model`]: 'blockstore',
      [`${path}/attr_serial`]: spec.id.replaceAll('-', '').slice(0, 20),
      [`${path}/namespaces/1/device_path`]: spec.path,
      [`${path}/namespaces/1/device_uuid`]: spec.id,
      [`${path}/namespaces/1/enable`]: '1',
      'ports/2010/addr_trtype': 'tcp',
      'ports/2010/addr_traddr': '127.0.0.1',
      'ports/2010/addr_trsvcid': String(place.port),
    };
    for (const [name, value] of Object.entries(attributes)) await configfs.write(name, value);
    await configfs.link(`${path}/allowed_hosts/nqn.2014-08.com.example:former`, 'hosts/nqn.2014-08.com.example:former');
    await configfs.link(`ports/2010/subsystems/${prefix}volume-${spec.id}`, path);
  };
  await restore();
  t.is((await target.listExports())[0]?.id, undefined, 'it proves no attachment');
  t.deepEqual(await target.listTraces(), [spec.id], 'it is found');
  await target.ensureExport(spec);
  t.like((await target.listExports())[0], spec);
  await target.removeExport(spec.id);
  await restore();
  await target.removeExport(spec.id);
  t.deepEqual(await target.listTraces(), []);
  t.deepEqual(await target.listExports(), []);
});

test('another prefix or portal moves an export; its earlier port goes with the last one there', async (t) => {
  const place = await placeFor(t);
  const [one, other] = [await volumeOf(place), await volumeOf(place)];
  const first = await place.target();
  for (const spec of [one, other]) await first.ensureExport(spec);
  const after = place.made({
    targetPrefix: 'nqn.2024-01.com.example:',
    portal: { ip: '127.0.0.1', port: place.port + 1 },
  });
  await after.ensureExport(one);
  t.deepEqual((await place.configfs.directories('ports')).toSorted(), ['2010', '2011']);
  await after.ensureExport(other);
  t.deepEqual(await place.configfs.directories('ports'), ['2011']);
  t.deepEqual(
    (await after.listExports()).map(({ address }) => address).toSorted(),
    [one, other].map(({ id }) => `127.0.0.1:${place.port + 1} tcp nqn.2024-01.com.example:volume-${id} 1`).toSorted(),
  );
});

test('the holder of the portal is named, a program or another port of the kernel', async (t) => {
  const place = await placeFor(t);
  const server = createServer().listen(place.port, '127.0.0.1');
  await once(server, 'listening');
  await t.throwsAsync(place.target(), { code: 'PortalUnusable', message: new RegExp(`process ${process.pid}`) });
  server.close();
  await once(server, 'close');
  const { configfs } = place;
  for (const path of ['subsystems/nqn.2001-04.com.example:theirs', 'ports/1']) await configfs.create(path);
  await configfs.write('ports/1/addr_trtype', 'tcp');
  await configfs.write('ports/1/addr_traddr', '0.0.0.0');
  await configfs.write('ports/1/addr_trsvcid', String(place.port));
  await t.notThrowsAsync(place.target(), 'it does not listen yet');
  await configfs.link('ports/1/subsystems/theirs', 'subsystems/nqn.2001-04.com.example:theirs');
  const taken = { code: 'PortalUnusable', message: /port 1 of the kernel's NVMe target listens there/ };
  await t.throwsAsync(place.target(), taken);
  const target = place.made();
  await t.throwsAsync(target.ensureExport(await volumeOf(place)), taken);
  t.deepEqual(await target.listTraces(), []);
  t.deepEqual(await configfs.directories('ports'), ['1']);
  await configfs.unlink('ports/1/subsystems/theirs');
  await target.setup();
  await t.throwsAsync(place.target({ portal: { ip: '192.0.2.77', port: 4420 } }), {
    code: 'PortalUnusable',
    message: /does not have the address 192\.0\.2\.77/,
  });
});

test('exports that somebody clears, opens or hides are restored', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const { configfs } = place;
  const [cleared, opened, hidden] = [await volumeOf(place), await volumeOf(place), await volumeOf(place)];
  for (const spec of [cleared, opened, hidden]) await target.ensureExport(spec);
  await place.made().removeExport(cleared.id);
  await configfs.unlink(`${pathOf(opened)}/allowed_hosts/${place.hosts[0]}`);
  await configfs.write(`${pathOf(opened)}/attr_allow_any_host`, '1');
  await configfs.unlink(`ports/2010/subsystems/${prefix}volume-${hidden.id}`);
  await until(async () => {
    const found = await target.listExports();
    return [cleared, opened, hidden].every(
      ({ id }) => found.find((one) => one.id === id)?.hosts.join(' ') === place.hosts[0],
    );
  }, 'they are as specified');
  await t.throwsAsync(place.login(opened, place.hosts[1]));
  t.deepEqual(target.problems(), []);
});

test('refusals of the kernel name the object; what stays is named', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  const failing = (end: string) => (_: string, path: string) => {
    if (path.endsWith(end)) throw new ConfigfsFailure(path, 'EIO');
  };
  place.configfs.before = failing('namespaces/1/enable');
  await t.throwsAsync(target.ensureExport(spec), { code: 'ExportFailed', message: /namespaces\/1\/enable: EIO/ });
  place.configfs.before = () => {};
  t.deepEqual(await target.listTraces(), []);
  await target.ensureExport(spec);
  place.configfs.before = failing('namespaces/1/enable');
  const error = await t.throwsAsync(target.removeExport(spec.id), { code: 'ExportStays' });
  t.regex(error.message, /namespaces\/1\/enable stays: EIO/);
  place.configfs.before = () => {};
  for (const path of ['relative', join(place.directory, 'a,b')]) {
    await t.throwsAsync(target.ensureExport({ ...spec, path }), { code: 'InvalidArgument' });
  }
  await t.throwsAsync(target.ensureExport({ ...spec, path: place.directory }), { code: 'ExportFailed' });
  for (const host of ['52:54:00:00:00:01', 'iqn.1993-08.org.debian:01:abc', 'nqn.2014-08.com.example:a/b']) {
    await t.throwsAsync(target.ensureExport({ ...spec, hosts: [host] }), { code: 'InvalidArgument' });
  }
});

test("without root or without the kernel's target the reason and the fix are named", async (t) => {
  const place = await placeFor(t);
  const unusable = {
    code: 'KernelTargetUnusable',
    message: /NVMe target \(nvmet\) of this node cannot be used: only root/,
  };
  await t.throwsAsync(place.made({}, { isRoot: false }).setup(), unusable);
});
