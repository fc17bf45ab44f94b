import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import type { BlockstoreError } from '../../../../lib/errors.ts';
import { ChildProcesses, type RunOptions } from '../../../../lib/process.ts';
import { AccessFilter } from '../../../../lib/targets/aoe/filter/access-filter.ts';
import { until } from '../../../support/until.ts';
import { Place, cannotExport } from './place.ts';
import { Veth } from './veth.ts';

const real = cannotExport === undefined ? test : test.skip;
const execute = promisify(execFile);
const frames = new URL('../../../support/aoe-frames.pl', import.meta.url).pathname;

const host = '52:54:00:00:00:01';
const stranger = '52:54:00:00:00:02';

type Request = Record<string, string | number>;

/** A volume of 1 MiB, served by a vblade without a list of its own: what is refused here, the access filter refuses. */
async function served(t: ExecutionContext) {
  const veth = await Veth.create(t);
  const place = await Place.create();
  t.teardown(() => place.remove());
  const filter = new AccessFilter({ interface: veth.near, owner: place.directory }, new ChildProcesses());
  t.teardown(() => filter.end());
  await filter.setup(new Map());
  const { path, address } = await place.volume(1);
  const { shelf } = place;
  await place.vbladeOf([String(shelf), '1', veth.near, path]);
  /** What the far side gets to hear for each request, `silence` or the kind of the answer. */
  const ask = async (requests: readonly Request[], to: Request = {}) => {
    const words = requests.map((request) =>
      Object.entries({ shelf, slot: 1, source: host, ...to, ...request })
        .map((pair) => pair.join('='))
        .join(),
    );
    const { stdout } = await execute('perl', [frames, veth.far, ...words]);
    return stdout.trim().split('\n');
  };
  const isHeard = async (requests: readonly Request[], to?: Request) =>
    (await ask(requests, to)).map((line) => line !== 'silence');
  return { veth, filter, address, shelf, ask, isHeard, place };
}

const query = { command: 1, data: '000000000010' };
const identify = { command: 0, data: '000001ec0000000000000000' };
const readMask = { command: 2, data: '00000000' };
const addMask = { command: 2, data: `000100010001${stranger.replaceAll(':', '')}` };
const reserve = { command: 3, data: `0201${stranger.replaceAll(':', '')}` };
const setConfig = { command: 1, data: '0000000000140001aa' };
const everywhere = { shelf: 65_535, slot: 255 };

real('only admitted hosts reach an export, and no host its commands that change access', async (t) => {
  const { filter, address, isHeard } = await served(t);
  t.deepEqual(await isHeard([readMask, setConfig, { ...reserve, data: '0000' }]), [true, true, true], 'vblade obeys');
  await filter.admit(address, [host, '52:54:00:00:00:09']);
  const wrong = [readMask, addMask, reserve, setConfig];
  t.deepEqual(await isHeard([query, identify, ...wrong]), [true, true, false, false, false, false]);
  t.deepEqual(await isHeard([query, identify, ...wrong], { source: stranger }), [
    false,
    false,
    false,
    false,
    false,
    false,
  ]);
});

real('broadcasts can only query the configuration', async (t) => {
  const { filter, address, isHeard, shelf } = await served(t);
  await filter.admit(address, [host]);
  for (const to of [everywhere, { shelf, slot: 255 }, { shelf: 65_535, slot: 1 }]) {
    const requests = [query, identify, readMask, addMask, reserve, setConfig];
    t.deepEqual(await isHeard(requests, to), [true, false, false, false, false, false]);
  }
});

real('an export without hosts admits all hosts, but no change of its access', async (t) => {
  const { filter, address, isHeard } = await served(t);
  await filter.admit(address, []);
  const requests = [query, identify, addMask, reserve, setConfig];
  t.deepEqual(await isHeard(requests, { source: stranger }), [true, true, false, false, false]);
});

real('frames with a VLAN tag do not bypass the access filter', async (t) => {
  const { filter, address, isHeard } = await served(t);
  const tags = ['0', '5', '0+0', '0+5', '0+0+0'];
  const requests = tags.map((vlan) => ({ ...query, vlan }));
  t.true((await isHeard(requests)).includes(true), 'without an access filter some of these reach vblade');
  await filter.admit(address, [stranger]);
  t.deepEqual(
    await isHeard(requests),
    Array.from(tags, () => false),
  );
});

real('hosts are replaced atomically, and a closed export is silent', async (t) => {
  const { filter, address, isHeard } = await served(t);
  const both = [query, { ...query, source: stranger }];
  await filter.admit(address, [host]);
  t.deepEqual(await isHeard(both), [true, false]);
  await filter.admit(address, [stranger]);
  t.deepEqual(await isHeard(both), [false, true]);
  await filter.close(address);
  t.deepEqual(await isHeard(both), [false, false]);
});

real('a change of the hosts restores all filters where they went with a former interface', async (t) => {
  const { veth, filter, address, isHeard, shelf } = await served(t);
  await filter.admit(address, [stranger]);
  await filter.admit(`e${shelf}.200`, [host]);
  await execute('tc', ['qdisc', 'del', 'dev', veth.near, 'clsact']);
  await filter.admit(address, [host]);
  t.deepEqual(await isHeard([query, { ...query, source: stranger }]), [true, false]);
  t.deepEqual(await filter.check(), [], 'those of other exports are there as well');
});

real('removed or changed filters are detected and corrected; the last export removes all of them', async (t) => {
  const { veth, filter, address, isHeard, shelf } = await served(t);
  const show = async () => (await execute('tc', ['filter', 'show', 'dev', veth.near, 'ingress'])).stdout;
  await filter.admit(address, [stranger]);
  await filter.admit(`e${shelf}.200`, [host]);
  t.deepEqual(await filter.check(), []);
  const right = await show();
  const [, pref = ''] = /pref (\d+) bpf .*handle/.exec(right) ?? [];
  await execute('tc', ['filter', 'del', 'dev', veth.near, 'ingress', 'pref', pref]);
  t.deepEqual(await isHeard([query]), [true]);
  t.is((await filter.check()).length, 3);
  t.deepEqual(await isHeard([query]), [false]);
  await execute('tc', ['qdisc', 'del', 'dev', veth.near, 'clsact']);
  t.is((await filter.check()).length, 5);
  t.deepEqual(await isHeard([query]), [false]);
  t.deepEqual(await filter.check(), []);
  await filter.remove(address);
  t.deepEqual(await isHeard([query, { ...addMask, ...everywhere }]), [true, false]);
  await filter.remove(`e${shelf}.200`);
  t.is(await show(), '');
});

real('a filter of another program that runs before the access filter is reported', async (t) => {
  const { veth, filter, address, isHeard } = await served(t);
  await filter.admit(address, [host]);
  const add = (pref: string, protocol: string) => {
    const place = ['dev', veth.near, 'ingress', 'pref', pref, 'protocol', protocol];
    return execute('tc', ['filter', 'add', ...place, 'bpf', 'direct-action', 'bytecode', '1,6 0 0 0,']);
  };
  await add('60000', 'all');
  await add('1', 'ip');
  t.deepEqual(await filter.check(), [], 'neither of them keeps a frame from the access filter');
  await add('2', 'all');
  await until(async () => (await isHeard([query], { source: stranger }))[0], 'it admits every host');
  t.deepEqual(await filter.check(), [], 'another owner may be about to complete it');
  const message = /: filter pref 2 \(protocol all, bpf\) of another program runs first and can admit any host$/;
  const error = await t.throwsAsync<BlockstoreError>(filter.check(), { code: 'NoAccessFilter', message });
  const [, removal = ''] = /^remove it \(tc (.*)\),/.exec(error?.hint ?? '') ?? [];
  await execute('tc', removal.split(' '));
  t.deepEqual(await isHeard([query], { source: stranger }), [false]);
  t.deepEqual(await filter.check(), []);
});

real('a program that runs before all filters of tc is reported', async (t) => {
  const { veth, filter, address, isHeard } = await served(t);
  await filter.admit(address, [host]);
  t.deepEqual(await filter.check(), []);
  const script = new URL('../../../support/tcx-program.pl', import.meta.url).pathname;
  const child = spawn('perl', [script, veth.near], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill());
  const [answer] = await once(child.stdout, 'data');
  if (String(answer) === 'unknown\n') {
    t.pass('this kernel attaches no such programs');
    return;
  }
  t.deepEqual(await isHeard([query], { source: stranger }), [true], 'it admits every host');
  const message =
    /: BPF program bs_test \(id \d+, attached by tcx\) of another program runs first and can admit any host$/;
  await t.throwsAsync(filter.check(), { code: 'NoAccessFilter', message });
  child.stdin.end();
  await once(child, 'exit');
  t.deepEqual(await isHeard([query], { source: stranger }), [false]);
  t.deepEqual(await filter.check(), []);
});

real('a filter block that others share is named with its removal', async (t) => {
  const veth = await Veth.create(t);
  const filter = new AccessFilter({ interface: veth.near, owner: 'shared' }, new ChildProcesses());
  t.teardown(() => filter.end());
  await execute('tc', ['qdisc', 'add', 'dev', veth.near, 'ingress_block', '7', 'clsact']);
  const error = await t.throwsAsync<BlockstoreError>(filter.setup(new Map()), { message: /block is shared/ });
  const [, removal = ''] = /: tc (.*)$/.exec(error?.hint ?? '') ?? [];
  await execute('tc', removal.split(' '));
  await t.notThrowsAsync(filter.setup(new Map()));
});

real('a later daemon adopts the filters, and one of another owner does not change them', async (t) => {
  const { veth, filter, address, isHeard, place } = await served(t);
  await filter.admit(address, [stranger]);
  const show = async () => (await execute('tc', ['filter', 'show', 'dev', veth.near, 'ingress'])).stdout;
  const before = await show();
  const other = new AccessFilter({ interface: veth.near, owner: 'another' }, new ChildProcesses());
  t.teardown(() => other.end());
  await other.setup(new Map());
  t.is(await show(), before);
  await other.admit('e1.1', [host]);
  await other.remove('e1.1');
  t.is(await show(), before);
  const later = new AccessFilter({ interface: veth.near, owner: place.directory }, new ChildProcesses());
  t.teardown(() => later.end());
  await later.setup(new Map([[address, [stranger]]]));
  t.is(await show(), before);
  t.deepEqual(await isHeard([query]), [false]);
});

real('a thousand exports are admitted in a few batches', async (t) => {
  const { veth, filter } = await served(t);
  const addresses = Array.from({ length: 1000 }, (_, index) => `e${100 + Math.floor(index / 16)}.${index % 16}`);
  await Promise.all(addresses.map((address) => filter.admit(address, [host])));
  t.deepEqual(await filter.check(), []);
  const { stdout } = await execute('tc', ['filter', 'show', 'dev', veth.near, 'ingress'], { maxBuffer: 2 ** 24 });
  t.is(stdout.split('\n').filter((line) => line.includes('bytecode')).length, 63 + 3);
  await Promise.all(addresses.map((address) => filter.remove(address)));
  t.deepEqual(await filter.check(), []);
});

/** `tc` fails once to show the filters when the file `broken` exists. */
class FailingTc extends ChildProcesses {
  private readonly directory: string;

  private constructor(directory: string) {
    super();
    this.directory = directory;
  }

  static async create(directory: string): Promise<FailingTc> {
    const bin = join(directory, 'bin');
    const broken = join(directory, 'broken');
    await mkdir(bin);
    const lines = [
      '#!/bin/sh',
      `[ "$1 $2" = "filter show" ] && rm ${broken} 2>/dev/null && echo interrupted && exit 1`,
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin exec tc "$@"',
    ];
    await writeFile(join(bin, 'tc'), lines.join('\n'), { mode: 0o755 });
    return new FailingTc(directory);
  }

  async failOnce(): Promise<() => boolean> {
    const broken = join(this.directory, 'broken');
    await writeFile(broken, '');
    return () => !existsSync(broken);
  }

  override resident(command: string, args: readonly string[], env: Record<string, string>) {
    return super.resident(command, args, { ...env, PATH: `${join(this.directory, 'bin')}:/usr/bin:/bin` });
  }
}

real('a change during a check that fails is in effect when it resolves', async (t) => {
  const { veth, address, isHeard, place } = await served(t);
  const processes = await FailingTc.create(place.directory);
  const filter = new AccessFilter({ interface: veth.near, owner: place.directory }, processes);
  t.teardown(() => filter.end());
  await filter.setup(new Map());
  const hasFailed = await processes.failOnce();
  const admitted = filter.admit(address, [host]);
  await t.throwsAsync(filter.check(), { code: 'NoAccessFilter', message: /interrupted/ });
  t.true(hasFailed());
  await admitted;
  t.deepEqual(await isHeard([query, { ...query, source: stranger }]), [true, false]);
  t.deepEqual(await filter.check(), []);
});

/** As if systemd ran here. */
class WithSystemctl extends ChildProcesses {
  override async run(command: string, args: readonly string[], options: RunOptions = {}) {
    return super.run(command === 'systemctl' ? 'true' : command, args, options);
  }
}

real('a restart of the daemon keeps the filter of an export that systemd is about to start again', async (t) => {
  const { veth, isHeard, place, shelf } = await served(t);
  const target = place.target({ supervisor: 'systemd', interface: veth.near }, { processes: new WithSystemctl() });
  const exports = join(place.directory, 'exports');
  const id = randomUUID();
  await mkdir(exports);
  const args = `-d -s -m ${host.replaceAll(':', '')} ${shelf} 1 ${veth.near} /dev/absent`;
  await writeFile(join(exports, `${id}.env`), `VBLADE_ARGS=${args}\nVBLADE_INTERFACE=${veth.near}\n`);
  await writeFile(join(exports, `${randomUUID()}.env`), 'damaged');
  const both = [query, { ...query, source: stranger }];
  t.deepEqual(await isHeard(both), [true, true]);
  await target.setup();
  t.deepEqual(await isHeard(both), [true, false]);
  await target.removeExport(id);
  t.deepEqual(await isHeard(both), [true, true], 'the filter went with the export');
});

real('an export with a file of systemd that moves to another address leaves no filter behind', async (t) => {
  const { veth, isHeard, place, shelf } = await served(t);
  const options = { interface: veth.near };
  const target = place.target({ ...options, supervisor: 'systemd' }, { processes: new WithSystemctl() });
  const volume = await place.volume(2);
  await mkdir(join(place.directory, 'exports'));
  const args = `-m ${host.replaceAll(':', '')} ${shelf} 1 ${veth.near} ${volume.path}`;
  await writeFile(join(place.directory, 'exports', `${volume.id}.env`), `VBLADE_ARGS=${args}\n`);
  await target.setup();
  t.deepEqual(await isHeard([{ ...query, source: stranger }]), [false]);
  await t.throwsAsync(target.ensureExport(volume), { code: 'ExportFailed' }, 'systemd does not run here');
  t.deepEqual(await isHeard([{ ...query, source: stranger }]), [true]);
});

/** The launcher of vblades ends at once. */
class WithoutLauncher extends ChildProcesses {
  override resident(command: string, args: readonly string[], env: Record<string, string>) {
    const isLauncher = args.some((argument) => argument.endsWith('launcher.pl'));
    return super.resident(isLauncher ? 'false' : command, args, env);
  }
}

real('an export that moves to another address is filtered until its former vblade has ended', async (t) => {
  const { veth, isHeard, place } = await served(t);
  const volume = { ...(await place.volume(2)), hosts: [host] };
  const before = await place.readyTarget({ interface: veth.near });
  await before.ensureExport(volume);
  await before.close();
  const requests = [query, { ...query, source: stranger }];
  t.deepEqual(await isHeard(requests, { slot: 2 }), [true, false]);
  const later = place.target({ interface: veth.near }, { processes: new WithoutLauncher() });
  await later.setup();
  const moved = { ...volume, address: volume.address.replace(/2$/, '3') };
  await t.throwsAsync(later.ensureExport(moved), { code: 'LauncherEnded' });
  t.true(
    (await place.vblades()).some(({ args }) => args.at(-1) === volume.path),
    'the former vblade runs',
  );
  t.deepEqual(await isHeard(requests, { slot: 2 }), [false, false], 'for nobody');
  await later.ensureExport(volume);
  t.deepEqual(await isHeard(requests, { slot: 2 }), [true, false], 'it may stay where it was');
});

real('an export that has never started leaves no filter when it is removed', async (t) => {
  const { veth, place } = await served(t);
  const show = async () => (await execute('tc', ['filter', 'show', 'dev', veth.near, 'ingress'])).stdout;
  const target = await place.readyTarget({ interface: veth.near });
  const volume = { ...(await place.volume(2)), path: `${place.directory}/nowhere`, hosts: [host] };
  await t.throwsAsync(target.ensureExport(volume), { code: 'ExportFailed' });
  t.regex(await show(), /bytecode/, 'it may start at any time');
  await target.removeExport(volume.id);
  t.is(await show(), '');
});

real('a missing interface and a missing tc are reported', async (t) => {
  const absent = new AccessFilter({ interface: 'eth99', owner: 'x' }, new ChildProcesses());
  t.teardown(() => absent.end());
  await t.throwsAsync(absent.setup(new Map()), { code: 'NoAccessFilter', message: /eth99: Cannot find device/ });
});
