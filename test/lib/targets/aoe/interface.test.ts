import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { silentLog } from '../../../../lib/log.ts';
import { checkInterface, interfaceStatus } from '../../../../lib/targets/aoe/interface.ts';
import type { AoeTarget } from '../../../../lib/targets/aoe/target.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { Discovery } from '../../../../lib/targets/aoe/discover.ts';
import { isRunning } from '../../../../lib/targets/aoe/vblade-process.ts';
import { until } from '../../../support/until.ts';
import { Place, cannotExport } from './place.ts';
import { Veth } from './veth.ts';

/** What can become of the interface of exports that run. */

const real = cannotExport === undefined ? test : test.skip;
const execute = promisify(execFile);
const patienceMs = 60_000;

/** Two exports on a cable, and what the other end of the cable hears of them. */
async function exported(t: ExecutionContext) {
  t.timeout(180_000);
  const veth = await Veth.create(t);
  const place = await Place.create();
  t.teardown(() => place.remove());
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => errors.push(message) };
  const target = await place.readyTarget({ interface: veth.near }, { log });
  for (const slot of [1, 2]) await target.ensureExport(await place.volume(slot));
  const heard = async () => {
    const discovery = new Discovery(new ChildProcesses(), { interface: veth.far, quietMs: 200 });
    try {
      return (await discovery.shelves([place.shelf])).map(({ host }) => host);
    } finally {
      await discovery.close();
    }
  };
  return { veth, place, target, errors, heard };
}

function problemsOf(target: AoeTarget): string[] {
  return target.problems().map(({ id, error }) => `${id ?? ''}${error.message}`);
}

real('while the interface has another name it is one problem; exports are not touched', async (t) => {
  const { veth, place, target, errors, heard } = await exported(t);
  const before = await place.vblades();
  await veth.set('down');
  await veth.set('name', `${veth.near}x`);
  await until(() => target.problems().length > 0, 'the problem is seen', patienceMs);
  await until(() => problemsOf(target)[0]?.endsWith('does not exist'), 'it has another name', patienceMs);
  t.deepEqual(problemsOf(target), [`network interface ${veth.near} does not exist`]);
  await execute('ip', ['link', 'set', `${veth.near}x`, 'name', veth.near]);
  await veth.set('up');
  const began = performance.now();
  await until(async () => (await heard()).length === 2, 'both answer again', patienceMs);
  t.log(`${Math.round(performance.now() - began)} ms`);
  await until(() => target.problems().length === 0, 'the problem is over', patienceMs);
  t.true(
    before.every((vblade) => !isRunning(vblade)),
    'those on an interface that goes down end',
  );
  t.true(errors.length <= 2, errors.join('; '));
});

for (const [what, ...words] of [
  ['address', 'address', '52:54:00:77:66:55'],
  ['MTU', 'mtu', '1280'],
] as const) {
  real(`another ${what} of the interface replaces its exports, which took over the former one`, async (t) => {
    const { veth, place, target, heard } = await exported(t);
    const before = await place.vblades();
    await veth.set(...words);
    const address = await veth.address(veth.near);
    const areNew = async () => {
      const now = await place.vblades();
      return now.length === 2 && now.every(({ pid }) => before.every((one) => one.pid !== pid));
    };
    await until(areNew, 'both are new', patienceMs);
    await until(async () => (await heard()).length === 2, 'both answer', patienceMs);
    t.deepEqual(await heard(), [address, address]);
    t.is(target.endpoint, address);
    t.deepEqual(problemsOf(target), []);
  });
}

for (const [what, change] of [
  ['another Ethernet address', (veth: Veth) => veth.set('address', '52:54:00:77:66:55')],
  ['another MTU', (veth: Veth) => veth.set('mtu', '1280')],
  ['been removed and made again', (veth: Veth) => veth.remake()],
] as const) {
  real(`a daemon that starts replaces the exports whose interface has ${what} since, once`, async (t) => {
    t.timeout(180_000);
    const veth = await Veth.create(t);
    const place = await Place.create();
    t.teardown(() => place.remove());
    const volume = await place.volume(1);
    const start = async () => {
      const target = await place.readyTarget({ interface: veth.near });
      await target.ensureExport(volume);
      const { pid } = await place.vblade();
      return { target, pid };
    };
    const first = await start();
    await first.target.close();
    const again = await start();
    t.is(again.pid, first.pid, 'nothing has changed');
    await again.target.close();
    await change(veth);
    const changed = await start();
    t.not(changed.pid, first.pid);
    await changed.target.close();
    const last = await start();
    t.is(last.pid, changed.pid, 'it has the interface as it is');
  });
}

real('exports move to the interface that has taken the name of theirs', async (t) => {
  const { veth, heard } = await exported(t);
  await execute('ip', ['link', 'set', veth.near, 'name', `${veth.near}x`]);
  await execute('ip', ['link', 'set', veth.far, 'name', `${veth.far}x`]);
  t.teardown(() => execute('ip', ['link', 'del', `${veth.near}x`]));
  await execute('ip', ['link', 'add', veth.near, 'type', 'veth', 'peer', 'name', veth.far]);
  for (const name of [veth.near, veth.far]) await execute('ip', ['link', 'set', name, 'up']);
  await until(async () => (await heard()).length === 2, 'both answer on the new cable', patienceMs);
  t.deepEqual(new Set(await heard()), new Set([await veth.address(veth.near)]));
});

real('an interface without a carrier is one problem of the node; its exports run', async (t) => {
  const { veth, place, target } = await exported(t);
  const before = await place.vblades();
  await execute('ip', ['link', 'set', veth.far, 'down']);
  await until(() => target.problems().length > 0, 'it is a problem', patienceMs);
  t.deepEqual(problemsOf(target), [`network interface ${veth.near} has no carrier`]);
  await t.throwsAsync(target.discover([place.shelf]), { code: 'InterfaceDown' }, 'silence is no answer');
  await target.ensureExport(await place.volume(3));
  await execute('ip', ['link', 'set', veth.far, 'up']);
  await until(() => target.problems().length === 0, 'it is over', patienceMs);
  t.true(before.every(isRunning));
  t.is((await place.vblades()).length, 3);
});

for (const [what, message, begin, end] of [
  [
    'a port of a bridge',
    /is a port of a bridge, which takes its frames$/,
    (veth: Veth, bridge: string) => veth.set('master', bridge),
    (veth: Veth) => veth.set('nomaster'),
  ],
  [
    'an interface whose MTU fits no sector',
    /has an MTU below 548, too small for one sector$/,
    (veth: Veth) => veth.set('mtu', '547'),
    (veth: Veth) => veth.set('mtu', '548'),
  ],
] as const) {
  real(`${what} cannot be used by hosts`, async (t) => {
    const veth = await Veth.create(t);
    const bridge = `bs${randomBytes(4).toString('hex')}`;
    await execute('ip', ['link', 'add', bridge, 'up', 'type', 'bridge']);
    t.teardown(() => execute('ip', ['link', 'del', bridge]));
    await begin(veth, bridge);
    t.regex(checkInterface(veth.near)?.message ?? '', message);
    t.is(interfaceStatus(veth.near).error, undefined, 'exports start on it');
    await end(veth);
    t.is(checkInterface(veth.near), undefined);
  });
}

real('an interface without Ethernet serves no exports', async (t) => {
  const tunnel = `bs${randomBytes(4).toString('hex')}`;
  await execute('ip', ['tuntap', 'add', 'mode', 'tun', 'name', tunnel]);
  t.teardown(() => execute('ip', ['link', 'del', tunnel]));
  await execute('ip', ['link', 'set', tunnel, 'up']);
  const message = `network interface ${tunnel} is no Ethernet interface`;
  t.throws(() => checkInterface(tunnel), { code: 'InterfaceDown', message });
});

real('a bridge that waits for the spanning tree is named as such', async (t) => {
  const bridge = `bs${randomBytes(4).toString('hex')}`;
  const veth = await Veth.create(t);
  await execute('ip', ['link', 'add', bridge, 'type', 'bridge', 'stp_state', '1']);
  t.teardown(() => execute('ip', ['link', 'del', bridge]));
  await execute('ip', ['link', 'set', bridge, 'up']);
  t.is(checkInterface(bridge)?.message, `network interface ${bridge} has no carrier`, 'it has no port');
  await veth.set('master', bridge);
  await until(() => /spanning tree/.test(checkInterface(bridge)?.message ?? ''), 'the port listens', 20_000);
  t.regex(checkInterface(bridge)?.hint ?? '', new RegExp(`ip link set ${bridge} type bridge forward_delay 200`));
});

real('an alternative name of an interface is no name of an interface', async (t) => {
  const veth = await Veth.create(t);
  await veth.set('alias', 'x');
  await execute('ip', ['link', 'property', 'add', 'dev', veth.near, 'altname', `${veth.near}alt`]);
  const { error } = interfaceStatus(`${veth.near}alt`);
  t.is(error?.message, `network interface ${veth.near}alt does not exist`);
  t.regex(error?.hint ?? '', /not to an alternative one/);
  t.is(interfaceStatus(veth.near).error, undefined);
});
