import { once } from 'node:events';
import { truncate } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { newChap } from '../../../../lib/models/chap.ts';
import { ConfigfsFailure } from '../../../../lib/targets/configfs.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { until } from '../../../support/until.ts';
import { casesOf } from '../conformance.ts';
import { Pair } from '../pair.ts';
import { Place, prefix } from './place.ts';

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create();
  t.teardown(() => place.remove());
  return place;
}

async function volumeOf(place: Place, fields: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  return { ...(await place.volume()), hosts: [place.hosts[0]], chap: newChap(), ...fields };
}

function groupPath({ id }: ExportSpec): string {
  return `iscsi/${prefix}volume-${id}/tpgt_1`;
}

for (const { title, run } of casesOf({ authentication: 'chap' })) {
  test(`on a stand-in of configfs, with volumes of the driver file: ${title}`, async (t) => {
    const place = await placeFor(t);
    const driver = new FileDriver({ directory: join(place.directory, 'pool') });
    await driver.setup();
    await t.notThrowsAsync(run(new Pair(driver, place)));
  });
}

test('an export is enabled last, with its identity set before hosts can have it', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const { changes } = place.configfs;
  const at = (end: string) => changes.findIndex((change) => change.endsWith(end));
  const order = [
    'vpd_unit_serial',
    'core/fileio_2010/volume-' + spec.id + '/enable',
    'lun_1/volume',
    'auth/password',
    'np/127.0.0.1:' + place.port,
    'tpgt_1/enable',
  ].map(at);
  t.deepEqual(
    order,
    order.toSorted((one, other) => one - other),
  );
  t.true(order.every((index) => index >= 0));
  t.is(order.at(-1), changes.length - 1);
  t.regex(place.configfs.state(), new RegExp(`acls/${place.hosts[0]}/auth hidden`));
});

test('what is as specified is not changed', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  for (const spec of [await volumeOf(place), await volumeOf(place, { hosts: [], readOnly: true })]) {
    await target.ensureExport(spec);
    const { length } = place.configfs.changes;
    await target.ensureExport(spec);
    await place.made().ensureExport(spec);
    t.is(place.configfs.changes.length, length);
  }
});

test('a crash at any change of an export is made good by the next request', async (t) => {
  const place = await placeFor(t);
  const spec = await volumeOf(place);
  const target = await place.target();
  const { configfs } = place;
  await target.ensureExport(spec);
  const whole = configfs.state();
  await target.removeExport(spec.id);
  const none = configfs.state();
  let points = 0;
  while (await configfs.crashAt(points, () => target.ensureExport(spec))) {
    await place.made().ensureExport(spec);
    t.is(configfs.state(), whole, `creation, ${points}`);
    await target.removeExport(spec.id);
    points += 1;
  }
  t.true(points > 15);
  for (points = 0; await configfs.crashAt(points, () => target.removeExport(spec.id)); points += 1) {
    const traces = await target.listTraces();
    t.deepEqual(traces, [spec.id], 'it is found');
    await place.made().removeExport(spec.id);
    t.is(configfs.state(), none, `removal, ${points}`);
    await target.ensureExport(spec);
  }
  t.true(points > 8);
});

test('the right to write and the hosts change without a session ending, another secret ends them', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const session = await place.login(spec, place.hosts[0], spec.chap);
  await target.ensureExport({ ...spec, readOnly: true, hosts: place.hosts.toSorted() });
  await t.throwsAsync(session.write(0, Buffer.alloc(512)));
  t.deepEqual(await session.read(0, 512), Buffer.alloc(512));
  t.like((await target.listExports())[0], { readOnly: true, hosts: place.hosts.toSorted() });
  await target.ensureExport(spec);
  await session.write(0, Buffer.alloc(512, 1));
  await target.ensureExport({ ...spec, chap: newChap() });
  await t.throwsAsync(session.read(0, 512));
});

test("others' targets have no id and are left alone, also where they are named as ours are", async (t) => {
  const place = await placeFor(t);
  const { configfs } = place;
  const target = await place.target();
  const theirs = await volumeOf(place);
  const name = `${prefix}volume-${theirs.id}`;
  for (const path of ['core/fileio_0', `core/fileio_0/${name}`, `iscsi/${name}`, `iscsi/${name}/tpgt_1`]) {
    await configfs.create(path);
  }
  await configfs.write(`core/fileio_0/${name}/control`, `fd_dev_name=${theirs.path},fd_dev_size=4096`);
  await configfs.write(`core/fileio_0/${name}/enable`, '1');
  await configfs.create(`iscsi/${name}/tpgt_1/lun/lun_0`);
  await configfs.link(`iscsi/${name}/tpgt_1/lun/lun_0/x`, `core/fileio_0/${name}`);
  const before = configfs.state();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  t.deepEqual(await target.listTraces(), [spec.id]);
  t.is((await target.listExports()).length, 2);
  t.is((await target.listExports()).find(({ path }) => path !== spec.path)?.id, undefined);
  await target.removeExport(spec.id);
  t.is(configfs.state().replace(/\ncore\/fileio_2010$/m, ''), before);
});

test('an export that another program has restored is none of ours, and is replaced or removed', async (t) => {
  const place = await placeFor(t);
  const { configfs } = place;
  const target = await place.target();
  const spec = await volumeOf(place);
  const restore = async () => {
    const core = `core/fileio_0/volume-${spec.id}`;
    for (const path of ['core/fileio_0', core, `iscsi/${prefix}volume-${spec.id}`, groupPath(spec)]) {
      await configfs.create(path);
    }
    await configfs.write(`${core}/control`, `fd_dev_name=${spec.path},fd_dev_size=4096`);
    await configfs.write(`${core}/enable`, '1');
    for (const path of ['lun/lun_1', `np/127.0.0.1:${place.port}`, 'acls/iqn.2001-04.com.example:former']) {
      await configfs.create(`${groupPath(spec)}/${path}`);
    }
    await configfs.link(`${groupPath(spec)}/lun/lun_1/abc`, core);
    await configfs.write(`${groupPath(spec)}/enable`, '1');
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

test('an export that another program restores below the daemon, with an earlier secret, is replaced', async (t) => {
  const place = await placeFor(t);
  const { configfs } = place;
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const unit = `${groupPath(spec)}/lun/lun_1`;
  const acl = `${groupPath(spec)}/acls/${place.hosts[0]}`;
  const state = configfs.state();
  const changes = {
    'the secret in our target': () => configfs.write(`${acl}/auth/password`, 'earlier-secret'),
    'the right to write in our target': () => configfs.write(`${acl}/lun_1/write_protect`, '1'),
    'a target made anew, with a backstore of the other program': async () => {
      const core = `core/fileio_0/volume-${spec.id}`;
      for (const path of ['core/fileio_0', core]) await configfs.create(path);
      await configfs.write(`${core}/control`, `fd_dev_name=${spec.path},fd_dev_size=4096`);
      await configfs.write(`${core}/enable`, '1');
      await configfs.unlink(`${unit}/volume`);
      await configfs.link(`${unit}/0123456789`, core);
    },
  };
  for (const [change, make] of Object.entries(changes)) {
    await make();
    t.not(configfs.state(), state, change);
    const now = () => configfs.state().replace(/\ncore\/fileio_0$/m, '');
    await until(() => now() === state, `it is as before: ${change}`);
  }
  t.deepEqual(target.problems(), []);
});

test('an export to all hosts that another program gives another secret or right to write is restored', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place, { hosts: [], readOnly: true });
  await target.ensureExport(spec);
  const state = place.configfs.state();
  for (const [attribute, value] of [
    ['auth/password', 'earlier-secret'],
    ['attrib/demo_mode_write_protect', '0'],
  ] as const) {
    await place.configfs.write(`${groupPath(spec)}/${attribute}`, value);
    t.not(place.configfs.state(), state);
    await until(() => place.configfs.state() === state, `${attribute} is as before`);
  }
});

test('another prefix or portal makes the target anew', async (t) => {
  const place = await placeFor(t);
  const spec = await volumeOf(place);
  await (await place.target()).ensureExport(spec);
  const after = place.made({
    targetPrefix: 'iqn.2024-01.com.example:',
    portal: { ip: '127.0.0.1', port: place.port + 1 },
  });
  await after.ensureExport(spec);
  t.deepEqual(
    (await after.listExports()).map(({ address }) => address),
    [`127.0.0.1:${place.port + 1},1 iqn.2024-01.com.example:volume-${spec.id} 1`],
  );
});

test('a grown file is given its new size, without a session ending', async (t) => {
  const place = await placeFor(t);
  const target = await place.target({ durability: 'cached' });
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const session = await place.login(spec, place.hosts[0], spec.chap);
  await truncate(spec.path, 2 * 2 ** 20);
  await target.ensureExport(spec);
  t.regex(
    (await place.configfs.read(`core/fileio_2010/volume-${spec.id}/info`)) ?? '',
    /Size: 2097152 Mode: Buffered-WCE/,
  );
  await session.write(0, Buffer.alloc(512, 1));
});

test('the holder of the portal is named, a program or a target of the kernel', async (t) => {
  const place = await placeFor(t);
  const server = createServer().listen(place.port, '127.0.0.1');
  await once(server, 'listening');
  await t.throwsAsync(place.target(), { code: 'PortalUnusable', message: new RegExp(`process ${process.pid}`) });
  server.close();
  await once(server, 'close');
  const theirs = 'iscsi/iqn.2001-04.com.example:theirs';
  const portal = `${theirs}/tpgt_1/np/0.0.0.0:${place.port}`;
  for (const path of ['iscsi', theirs, `${theirs}/tpgt_1`, portal]) await place.configfs.create(path);
  const taken = {
    code: 'PortalUnusable',
    message: /iqn\.2001-04\.com\.example:theirs, at 0\.0\.0\.0:\d+, listens there/,
  };
  await t.throwsAsync(place.target(), taken);
  const target = place.made();
  await t.throwsAsync(target.ensureExport(await volumeOf(place)), taken);
  t.deepEqual(await target.listTraces(), []);
  await place.configfs.remove(portal);
  await place.configfs.create(`${theirs}/tpgt_1/np/127.0.0.1:${place.port}`);
  await target.setup();
  await t.throwsAsync(place.target({ portal: { ip: '192.0.2.77', port: 3260 } }), {
    code: 'PortalUnusable',
    message: /does not have the address 192\.0\.2\.77/,
  });
});

test('refusals of the kernel name the object and not the secret; what stays is named', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  const failing = (end: string) => (_: string, path: string) => {
    if (path.endsWith(end)) throw new ConfigfsFailure(path, 'EIO');
  };
  place.configfs.before = failing('auth/password');
  const error = await t.throwsAsync(target.ensureExport(spec), {
    code: 'ExportFailed',
    message: /auth\/password: EIO/,
  });
  t.false(JSON.stringify([error, error?.stack, error?.cause]).includes(spec.chap?.secret ?? ''));
  place.configfs.before = () => {};
  t.deepEqual(await target.listTraces(), []);
  await target.ensureExport(spec);
  place.configfs.before = failing('tpgt_1/enable');
  await t.throwsAsync(target.removeExport(spec.id), { code: 'ExportStays', message: /tpgt_1\/enable stays: EIO/ });
  place.configfs.before = () => {};
  for (const path of ['relative', join(place.directory, 'a,b')]) {
    await t.throwsAsync(target.ensureExport({ ...spec, path }), { code: 'InvalidArgument' });
  }
  await t.throwsAsync(target.ensureExport({ ...spec, path: place.directory }), { code: 'ExportFailed' });
  await t.throwsAsync(target.ensureExport({ ...spec, hosts: ['52:54:00:00:00:01'] }), { code: 'InvalidArgument' });
});

test("without root or without the kernel's target the reason and the fix are named", async (t) => {
  const place = await placeFor(t);
  await t.throwsAsync(place.made({}, { isRoot: false }).setup(), {
    code: 'KernelTargetUnusable',
    message: /only root/,
  });
  place.configfs.before = (_, path) => {
    throw new ConfigfsFailure(path, 'EINVAL');
  };
  await t.throwsAsync(place.made().setup(), {
    code: 'KernelTargetUnusable',
    message: /iscsi_target_mod is not loaded/,
  });
});
