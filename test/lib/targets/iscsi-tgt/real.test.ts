import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { FileDriver } from '../../../../lib/drivers/file/driver.ts';
import { newChap } from '../../../../lib/models/chap.ts';
import { casesOf, untilServed } from '../conformance.ts';
import { Pair, roundTrip } from '../pair.ts';
import { Place, initiators } from './place.ts';
import { qemuLogin } from './qemu-session.ts';
import { missingForReal } from './requirements.ts';

/** The real tgtd, and hosts with libiscsi. */

const real = (await missingForReal()) === undefined ? test : test.skip;
const [host] = initiators;

async function pairFor(t: ExecutionContext): Promise<Pair> {
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const driver = new FileDriver({ directory: join(place.directory, 'pool') });
  await driver.setup();
  return new Pair(driver, place);
}

for (const { title, run } of casesOf({ authentication: 'chap' })) {
  real(`on the real tgtd, with volumes of the driver file: ${title}`, async (t) => {
    await t.notThrowsAsync(run(await pairFor(t)));
  });
}

real('on the real tgtd: a volume of the driver file is exported, grown, exported anew and deleted', async (t) => {
  await t.notThrowsAsync(roundTrip(await pairFor(t), { isHeld: true }));
});

real('on the real tgtd: killed, it is started again with its exports', async (t) => {
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const target = await place.target();
  const spec = { ...(await place.volume()), hosts: [host], chap: newChap() };
  await target.ensureExport(spec);
  const session = await place.login(spec, host, spec.chap);
  await session.write(0, Buffer.alloc(512, 7));
  await session.close();
  await place.kill();
  await untilServed(place, spec, host, Buffer.alloc(512, 7));
  t.deepEqual((await target.listExports())[0], spec);
});

real('on the real tgtd: two volumes of two nodes show no identifier in common', async (t) => {
  const pages = [];
  for (const place of [await Place.create(qemuLogin), await Place.create(qemuLogin)]) {
    t.teardown(() => place.remove());
    const target = await place.target();
    const spec = await place.volume();
    await target.ensureExport(spec);
    const url = `iscsi://127.0.0.1:${place.port}/iqn.2010-10.org.openstack:volume-${spec.id}/1`;
    const inquiry = async (page: number) =>
      (await execa('iscsi-inq', ['-i', host, '-e', '1', '-c', String(page), url])).stdout;
    const [serial, identifiers] = [await inquiry(0x80), await inquiry(0x83)];
    t.true(serial.includes(spec.id));
    pages.push(identifiers.split('\n').filter((line) => /designator:/i.test(line) && !/length|type/i.test(line)));
  }
  const [one = [], other = []] = pages;
  t.true(one.length > 0);
  t.deepEqual(
    one.filter((line) => other.includes(line)),
    [],
  );
});

real('on the real tgtd: a taken port is named, and nothing listens elsewhere', async (t) => {
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const server = createServer().listen(place.port, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  await t.throwsAsync(place.target(), { code: 'PortalUnusable', message: new RegExp(`process ${process.pid}`) });
  t.is(await place.daemon(), undefined);
});

real('on the real tgtd: an export on an IPv6 address is served there, and found with that address', async (t) => {
  const place = await Place.create(qemuLogin);
  t.teardown(() => place.remove());
  const portal = { ip: '::1', port: place.port };
  const target = await place.target({ portal });
  const volume = await place.volume();
  const spec = { ...volume, address: target.addressOf(volume.id), hosts: [host], chap: newChap() };
  t.true(spec.address.startsWith(`[::1]:${place.port},1 iqn.`), spec.address);
  await target.ensureExport(spec);
  const session = await place.login(spec, host, spec.chap);
  await session.write(0, Buffer.alloc(512, 7));
  t.deepEqual(await session.read(0, 512), Buffer.alloc(512, 7));
  await session.close();
  t.deepEqual(await target.listExports(), [spec]);
  await target.close();
  const { pid } = (await place.daemon()) ?? {};
  await (await place.target({ portal })).removeExport(spec.id);
  t.is((await place.daemon())?.pid, pid, 'it is the tgtd of before');
  await t.throwsAsync(place.login(spec, host, spec.chap));
});
