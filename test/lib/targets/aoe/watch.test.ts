import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import test from 'ava';
import { silentLog } from '../../../../lib/log.ts';
import { interfaceStatus } from '../../../../lib/targets/aoe/interface.ts';
import { Watch } from '../../../../lib/targets/aoe/watch.ts';
import { isRunning } from '../../../../lib/targets/aoe/vblade-process.ts';
import { until } from '../../../support/until.ts';
import { Place, cannotExport } from './place.ts';
import { Veth } from './veth.ts';

const real = cannotExport === undefined ? test : test.skip;
const execute = promisify(execFile);
const patienceMs = 60_000;

real('exports end and return with the interface, which is the only problem meanwhile', async (t) => {
  t.timeout(180_000);
  const veth = await Veth.create(t);
  const place = await Place.create();
  t.teardown(() => place.remove());
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => errors.push(message) };
  const target = await place.readyTarget({ interface: veth.near }, { log });
  const volumes = await Promise.all([1, 2, 3].map((slot) => place.volume(slot)));
  for (const volume of volumes) await target.ensureExport({ ...volume, hosts: ['52:54:00:00:00:01'] });
  const before = await place.vblades();
  t.deepEqual(target.problems(), []);
  await veth.set('down');
  await until(async () => before.every((vblade) => !isRunning(vblade)), 'the vblades have ended', patienceMs);
  await until(() => target.problems().length === 1, 'no problem is left but that of the interface', patienceMs);
  t.deepEqual(
    target.problems().map(({ id, error }) => [id, error.message]),
    [[undefined, `network interface ${veth.near} is down`]],
  );
  await veth.set('up');
  const began = performance.now();
  await until(async () => (await place.vblades()).length === 3, 'all are back', patienceMs);
  t.log(`${Math.round(performance.now() - began)} ms`);
  await until(() => target.problems().length === 0, 'the problem is over', patienceMs);
  t.deepEqual(errors, [`network interface ${veth.near} is down`]);
});

real('a recreated interface gets its exports and filters again', async (t) => {
  t.timeout(180_000);
  const veth = await Veth.create(t);
  const place = await Place.create();
  t.teardown(() => place.remove());
  const target = await place.readyTarget({ interface: veth.near });
  await target.ensureExport({ ...(await place.volume(1)), hosts: ['52:54:00:00:00:01'] });
  const filters = async () => (await execute('tc', ['filter', 'show', 'dev', veth.near, 'ingress'])).stdout;
  const right = await filters();
  t.regex(right, /bytecode/);
  await veth.remake();
  const vblade = await until(async () => (await place.vblades())[0], 'the export is back', patienceMs);
  await until(async () => (await filters()) === right, 'the filters are back', patienceMs);
  await until(async () => (await place.vblades())[0]?.pid === vblade.pid && isRunning(vblade), 'it stays', patienceMs);
});

real('an export that cannot be restarted is a problem of its volume until it runs or is removed', async (t) => {
  t.timeout(180_000);
  const place = await Place.create();
  t.teardown(() => place.remove());
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => errors.push(message) };
  const target = await place.readyTarget({}, { log });
  const [one, other] = [await place.volume(1), await place.volume(2)];
  for (const volume of [one, other]) {
    await target.ensureExport(volume);
    await execute('mv', [volume.path, `${volume.path}.away`]);
  }
  for (const { pid } of await place.vblades()) process.kill(pid, 'SIGKILL');
  await until(() => target.problems().length === 2, 'both are problems', patienceMs);
  t.deepEqual(
    target
      .problems()
      .map(({ id, error }) => `${id} ${error.code}`)
      .toSorted(),
    [`${one.id} ExportFailed`, `${other.id} ExportFailed`].toSorted(),
  );
  await target.removeExport(other.id);
  await execute('mv', [`${one.path}.away`, one.path]);
  await until(() => target.problems().length === 0, 'it is over', patienceMs);
  t.is((await place.vblade()).args.at(-1), one.path);
  t.is(errors.length, 2, `each is logged once, however often it is tried: ${errors.join('; ')}`);
});

test('an export whose restart hangs delays neither the restart of others nor the check of the access', async (t) => {
  const restarts: string[] = [];
  let dead = ['a'];
  let checks = 0;
  const watch = new Watch({
    interface: 'lo',
    deadExports: () => dead,
    restart: async (id) => {
      restarts.push(id);
      if (id === 'a') await Promise.withResolvers<void>().promise;
      dead = dead.filter((one) => one !== id);
    },
    onInterfaceChange: async () => {},
    checkAccess: async () => {
      checks += 1;
      return [];
    },
    log: silentLog,
  });
  watch.start(interfaceStatus('lo').identity);
  t.teardown(() => watch.stop());
  await until(() => restarts.includes('a'), 'the first restart has begun', 5000);
  dead.push('b');
  await until(() => restarts.includes('b'), 'the other export is restarted', 5000);
  await until(() => checks > 0, 'the access is checked', 15_000);
  t.deepEqual(restarts, ['a', 'b'], 'a restart that has not ended is not repeated');
});

test('the access is checked before an export that has ended is restarted', async (t) => {
  const events: string[] = [];
  const watch = new Watch({
    interface: 'lo',
    deadExports: () => (events.includes('restart') ? [] : ['a']),
    restart: async () => void events.push('restart'),
    onInterfaceChange: async () => {},
    checkAccess: async () => {
      events.push('check');
      return [];
    },
    log: silentLog,
  });
  watch.start(interfaceStatus('lo').identity);
  t.teardown(() => watch.stop());
  await until(() => events.includes('restart'), 'the export is restarted', 20_000);
  t.deepEqual(events, ['check', 'restart']);
});

test('the access is checked before exports start anew on another interface of the name', async (t) => {
  const events: string[] = [];
  const watch = new Watch({
    interface: 'lo',
    deadExports: () => [],
    restart: async () => {},
    onInterfaceChange: async () => void events.push('change'),
    checkAccess: async () => {
      events.push('check');
      return [];
    },
    log: silentLog,
  });
  const { identity } = interfaceStatus('lo');
  watch.start(identity && { ...identity, index: identity.index + 1 });
  t.teardown(() => watch.stop());
  await until(() => events.includes('change'), 'the change is noticed', 20_000);
  t.deepEqual(events.slice(0, 2), ['check', 'change']);
});

test('a stop ends with restarts that wait for a slot, and soon where one hangs', async (t) => {
  const restarts: string[] = [];
  const dead = Array.from({ length: 20 }, (_, index) => String(index));
  const gate = Promise.withResolvers<void>();
  const watch = new Watch({
    interface: 'lo',
    deadExports: () => dead,
    restart: async (id) => {
      restarts.push(id);
      await gate.promise;
    },
    onInterfaceChange: async () => {},
    checkAccess: async () => [],
    log: silentLog,
  });
  watch.start(interfaceStatus('lo').identity);
  await until(() => restarts.length > 0, 'restarts have begun', 5000);
  const { length } = restarts;
  await watch.stop();
  gate.resolve();
  await new Promise((resolve) => void setTimeout(resolve, 100));
  t.is(restarts.length, length);
});

test('exports whose restarts hang, however many, do not delay the restart of others', async (t) => {
  const restarts: string[] = [];
  const dead = Array.from({ length: 12 }, (_, index) => `hangs${index}`);
  const watch = new Watch({
    interface: 'lo',
    deadExports: () => [...dead, 'other'],
    restart: async (id) => {
      restarts.push(id);
      if (id !== 'other') await Promise.withResolvers<void>().promise;
    },
    onInterfaceChange: async () => {},
    checkAccess: async () => [],
    log: silentLog,
  });
  watch.start(interfaceStatus('lo').identity);
  t.teardown(() => watch.stop());
  await until(() => restarts.includes('other'), 'the last one is restarted', 20_000);
  t.is(new Set(restarts).size, 13);
});
