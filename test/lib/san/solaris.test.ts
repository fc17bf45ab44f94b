import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import { asError } from '../../../lib/errors.ts';
import { newChap } from '../../../lib/models/chap.ts';
import { SolarisCommands, solarisDialect } from '../../../lib/san/solaris/commands.ts';
import { InitiatorSecrets } from '../../../lib/targets/solaris/initiators.ts';
import { SolarisTarget } from '../../../lib/targets/solaris/target.ts';
import { SanPlace } from '../../support/fake-san/place.ts';
import { solarisKind } from '../../support/fake-san/kinds.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { faults, slow } from '../../support/fake-san/ssh-stand-in.ts';
import { spec } from '../drivers/conformance.ts';
import { someCasesOf } from '../drivers/run-cases.ts';
import { DirectShell } from '../../support/fake-san/direct-shell.ts';

const unusable = new Set(['SanInterrupted', 'AnswerUnreadable', 'SanCommandFailed']);
const totalBytes = 2.5 * 2 ** 30;
const hosts = ['iqn.1993-08.org.debian:01:one'];

async function placeFor(t: ExecutionContext, bytes = 10_000 * 2 ** 30) {
  const device = new SolarisDevice('tank', bytes);
  const place = await SanPlace.create(device);
  t.teardown(() => place.remove());
  const connection = place.connection();
  const shell = place.shell(solarisDialect, {}, connection);
  const driver = new SolarisDriver(shell, { base: 'tank/', thin: true, node: 'n1' });
  const target = new SolarisTarget(place.shell(solarisDialect, {}, connection), {
    ip: '192.0.2.9',
    base: 'tank/',
    targetPrefix: 'iqn.2010-10.org.openstack:',
    chap: false,
    secrets: new InitiatorSecrets(join(place.directory, 'secrets')),
  });
  await driver.setup();
  return { device, place, driver, target };
}

/** The code of the error with which the work fails; '' when it does not. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => '',
    (error: unknown) => asError(error).code,
  );
}

const options = { base: 'tank/', thin: true, node: 'n1' };
const anyDevice = new SolarisDevice('tank', totalBytes);
const any = new SolarisDriver(new DirectShell(anyDevice), options);

for (const { title, run } of someCasesOf(solarisKind(any, anyDevice, options))) {
  test(`over SSH: ${title}`, async (t) => {
    const { driver, device } = await placeFor(t, totalBytes);
    await t.notThrowsAsync(run({ ...solarisKind(driver, device, options), sizeGiB: 2 }));
    await driver.close();
  });
}

test('an answer that is cut, has a banner, or is an error with exit code 0 is an error, never a shorter list', async (t) => {
  const { place, driver, target } = await placeFor(t);
  await driver.createVolume(spec());
  await driver.createVolume(spec());
  for (const fault of [
    faults.half,
    faults.truncated,
    faults.firstLine,
    faults.banner,
    faults.errorWithoutCode,
    faults.refused,
    faults.cutAfter,
  ]) {
    place.server.give(fault);
    t.true(unusable.has(await codeOf(driver.hasVolume(spec()))));
  }
  t.is((await driver.listVolumes()).length, 2);
  for (const fault of [faults.half, faults.truncated, faults.banner, faults.errorWithoutCode, faults.refused]) {
    await target.setup(); // commands of the last read, which failed, have arrived
    place.server.give(fault);
    t.true(unusable.has(await codeOf(target.removeExport(spec().id))));
  }
});

test('a create or an export whose answer is lost is found, and completed, by a repetition', async (t) => {
  const { place, driver, target } = await placeFor(t);
  for (const fault of [faults.cutBefore, faults.cutAfter, faults.half, faults.banner]) {
    const volume = spec();
    const pass = (channel: Parameters<typeof fault>[0], answer: Parameters<typeof fault>[1]) => {
      const { stdout, stderr, exitCode } = answer();
      channel.write(stdout);
      channel.stderr.write(stderr);
      channel.exit(exitCode);
      channel.end();
    };
    place.server.give(pass, pass, fault); // two lists, then the create
    await t.throwsAsync(driver.createVolume(volume));
    await driver.createVolume(volume);
    t.true(await driver.hasVolume(volume));
    const spec1 = {
      id: volume.id,
      path: driver.localPath(volume),
      address: target.addressOf(volume.id),
      readOnly: false,
      hosts,
    };
    await target.setup();
    place.server.give(pass, pass, pass, pass, pass, pass, fault);
    await t.throwsAsync(target.ensureExport(spec1));
    await target.ensureExport(spec1);
    t.deepEqual(
      (await target.listExports()).find(({ id }) => id === volume.id),
      spec1,
    );
    await target.removeExport(volume.id);
    await driver.deleteVolume(volume);
  }
});

test('storage that answers late, or is silent for a while, carries out each command once', async (t) => {
  const { place, driver, target } = await placeFor(t);
  const volume = spec();
  const late = () => [slow(300), place.server.paused(300), slow(300), place.server.paused(300)];
  place.server.give(...late());
  await driver.createVolume(volume);
  const exported = { id: volume.id, path: driver.localPath(volume), address: target.addressOf(volume.id), hosts };
  place.server.give(...late(), ...late(), ...late());
  await target.ensureExport({ ...exported, readOnly: false });
  place.server.give(...late(), ...late());
  await target.removeExport(volume.id);
  place.server.give(...late());
  await driver.deleteVolume(volume);
  const changes = place.server.lines.filter((line) => !/ list/.test(line));
  t.is(new Set(changes).size, changes.length);
  t.is(place.server.connections, 1);
  t.deepEqual(await driver.listVolumes(), []);
});

test('a secret crosses SSH on the standard input of its command alone, and is in no error', async (t) => {
  const { device, place, driver, target } = await placeFor(t);
  const volume = spec();
  await driver.createVolume(volume);
  const chap = newChap();
  const at = { id: volume.id, path: driver.localPath(volume), address: target.addressOf(volume.id), readOnly: false };
  await target.ensureExport({ ...at, hosts, chap });
  t.deepEqual(device.comstar.initiators.get(hosts[0] ?? ''), chap);
  t.false(place.server.lines.join('\n').includes(chap.secret));
  await target.removeExport(volume.id);
  const refusal = `chapsecret: ${chap.secret} is refused\n`;
  device.comstar.itadm = () => ({ stdout: '', stderr: refusal, exitCode: 1 });
  const error = await t.throwsAsync(
    new SolarisCommands(place.shell(solarisDialect)).withSecret(['itadm', 'create-initiator'], ['x'], chap.secret),
  );
  t.regex(error?.message ?? '', /itadm create-initiator -S FILE x.*: chapsecret: \*\*\* is refused/);
});
