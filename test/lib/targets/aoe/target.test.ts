import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { formatAddress } from '../../../../lib/aoe/address.ts';
import { silentLog } from '../../../../lib/log.ts';
import { findVblades, isRunning } from '../../../../lib/targets/aoe/vblade-process.ts';
import type { AoeTargetOptions } from '../../../../lib/targets/aoe/target.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { until } from '../../../support/until.ts';
import { Place, cannotExport } from './place.ts';

const real = cannotExport === undefined ? test : test.skip;

const patienceMs = 60_000;

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create();
  t.teardown(() => place.remove());
  return place;
}

/** As a daemon did that has stopped since. */
async function exportedBefore(
  place: Place,
  volume: ExportSpec,
  options: Partial<AoeTargetOptions> = {},
): Promise<void> {
  const target = await place.readyTarget(options);
  await target.ensureExport(volume);
  await target.close();
}

real('an export is started once, however many daemons request it', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const [one, other] = [await place.readyTarget(), await place.readyTarget()];
  const tenTimes = Array.from({ length: 10 });
  await Promise.all(tenTimes.flatMap(() => [one.ensureExport(volume), other.ensureExport(volume)]));
  t.deepEqual((await place.vblade()).args, ['-d', '-s', String(place.shelf), '1', 'lo', volume.path]);
});

real('a later daemon finds the export and does not change it', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  await exportedBefore(place, volume);
  const before = await place.vblade();
  const later = await place.readyTarget();
  await later.ensureExport(volume);
  t.deepEqual(await place.vblade(), before);
  t.deepEqual(
    (await later.listExports()).filter(({ id }) => id === volume.id),
    [volume],
  );
  await later.removeExport(volume.id);
  t.deepEqual(await place.vblades(), []);
});

real('the export of grown storage is started anew, with the rights that it had', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  await exportedBefore(place, volume);
  const before = await place.vblade();
  const target = await place.readyTarget();
  await target.resizeExport(volume);
  const after = await place.vblade();
  t.not(after.pid, before.pid);
  t.deepEqual(after.args, before.args);
  await target.ensureExport(volume);
  t.deepEqual(await place.vblade(), after, 'once');
});

real('an address is exported for one volume only; two volumes can swap addresses', async (t) => {
  const place = await placeFor(t);
  const [one, other] = [await place.volume(1), await place.volume(2)];
  const addresses = [one.address, other.address] as const;
  const target = await place.readyTarget();
  await target.ensureExport(one);
  await target.ensureExport(other);
  const taken = { code: 'ExportFailed', message: new RegExp(`still exported for volume ${other.id}`) };
  await t.throwsAsync(target.ensureExport({ ...one, address: addresses[1] }), taken);
  t.is((await place.vblades()).length, 1, 'what had the wrong number is ended');
  await target.ensureExport({ ...other, address: addresses[0] });
  await target.ensureExport({ ...one, address: addresses[1] });
  const numbers = (await place.vblades()).map(({ args }) => args.slice(-3).join(' '));
  t.deepEqual(numbers.toSorted(), [`1 lo ${other.path}`, `2 lo ${one.path}`]);
});

real(
  'files of a removed export that a power loss restored are listed, and removed with the next removal',
  async (t) => {
    const place = await placeFor(t);
    const volume = await place.volume(1);
    const target = await place.readyTarget();
    await target.ensureExport(volume);
    t.deepEqual(await target.listTraces(), [volume.id]);
    await target.removeExport(volume.id);
    t.deepEqual(await target.listTraces(), []);
    for (const kind of ['lock', 'log']) await writeFile(join(place.directory, 'exports', `${volume.id}.${kind}`), '');
    t.deepEqual(await target.listTraces(), [volume.id]);
    await target.removeExport(volume.id);
    t.deepEqual(await readdir(join(place.directory, 'exports')), []);
  },
);

real('a dead export is restarted and logged', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const warnings: string[] = [];
  const target = await place.readyTarget({}, { log: { ...silentLog, warn: (message) => warnings.push(message) } });
  await target.ensureExport(volume);
  const before = await place.vblade();
  process.kill(before.pid, 'SIGKILL');
  await until(async () => !isRunning(before), 'vblade is dead');
  await target.ensureExport(volume);
  t.notDeepEqual(await place.vblade(), before);
  t.deepEqual(warnings, ['export had died and is started again']);
});

real('an export whose vblade is stopped by a signal is a problem until it continues', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const target = await place.readyTarget();
  await target.ensureExport(volume);
  const { pid } = await place.vblade();
  process.kill(pid, 'SIGSTOP');
  const problem = await until(() => target.problems()[0], 'it is a problem', patienceMs);
  t.is(problem.id, volume.id);
  t.is(
    problem.error.message,
    `could not export volume ${volume.id}: its vblade, process ${pid}, is stopped by a signal`,
  );
  process.kill(pid, 'SIGCONT');
  await until(async () => target.problems().length === 0, 'it is over', patienceMs);
});

real('an export with changed options is replaced, also by a later daemon', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  await exportedBefore(place, volume);
  const later = await place.readyTarget({ durability: 'cached' });
  const changes = [
    {},
    { readOnly: true },
    { hosts: ['52:54:00:77:00:01'] },
    { address: formatAddress({ shelf: place.shelf, slot: 2 }) },
  ];
  for (const change of changes) {
    await later.ensureExport({ ...volume, ...change });
    await place.vblade();
  }
  t.deepEqual((await place.vblade()).args, [String(place.shelf), '2', 'lo', volume.path]);
});

real('a daemon replaces an export with other options that another daemon started', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const late = await place.readyTarget();
  await exportedBefore(place, volume, { durability: 'cached' });
  await late.ensureExport(volume);
  t.deepEqual((await place.vblade()).args.slice(0, 2), ['-d', '-s']);
});

real('a vblade has no right but to packet sockets, and is its volume’s owner', async (t) => {
  const place = await placeFor(t);
  const target = await place.readyTarget();
  const [ofRoot, ofAnother] = [await place.volume(1), await place.volume(2)];
  await chmod(place.directory, 0o755);
  await chown(ofAnother.path, 12_345, 12_345);
  for (const [volume, user] of [
    [ofRoot, 0],
    [ofAnother, 12_345],
  ] as const) {
    await target.ensureExport(volume);
    const status = await readFile(`/proc/${(await place.vblade()).pid}/status`, 'utf8');
    t.regex(status, /^CapEff:\t0000000000002000$/m, 'CAP_NET_RAW');
    t.regex(status, /^CapBnd:\t0000000000002000$/m);
    t.regex(status, /^NoNewPrivs:\t1$/m);
    t.regex(status, new RegExp(`^Uid:\\t${user}\\t`, 'm'));
    await target.removeExport(volume.id);
  }
});

real('a removed export has ended, its files are gone, and removing it again succeeds', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const target = await place.readyTarget();
  await target.ensureExport(volume);
  await target.removeExport(volume.id);
  t.deepEqual(await place.vblades(), []);
  t.deepEqual(await readdir(join(place.directory, 'exports')), []);
  await target.removeExport(volume.id);
  await target.removeExport('never-there');
});

real('an export that ignores SIGTERM is removed', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const target = await place.readyTarget();
  await target.ensureExport(volume);
  const vblade = await place.vblade();
  process.kill(vblade.pid, 'SIGSTOP'); // a stopped process takes SIGTERM only when it goes on
  await target.removeExport(volume.id);
  t.deepEqual(await place.vblades(), []);
});

real('an export without its lock file is removed', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const target = await place.readyTarget();
  await target.ensureExport(volume);
  await rm(join(place.directory, 'exports', `${volume.id}.lock`));
  await target.removeExport(volume.id);
  t.deepEqual(await place.vblades(), []);
});

real('foreign vblades are listed without an id and not changed', async (t) => {
  const place = await placeFor(t);
  const { path, address } = await place.volume(9);
  const foreign = spawn('vblade', ['-m', '52:54:00:77:00:01', '-r', String(place.shelf), '9', 'lo', path], {
    stdio: 'ignore',
  });
  await once(foreign, 'spawn');
  await until(async () => (await findVblades()).some(({ pid }) => pid === foreign.pid), 'the foreign vblade runs');
  const target = await place.readyTarget();
  t.deepEqual(
    (await target.listExports()).filter((found) => found.address === address),
    [{ address, path, readOnly: true, hosts: ['52:54:00:77:00:01'] }],
  );
  await target.close();
  t.is(foreign.exitCode, null);
});

real('discovery finds addresses in use', async (t) => {
  const place = await placeFor(t);
  const target = await place.readyTarget();
  const volumes = await Promise.all([1, 2].map((slot) => place.volume(slot)));
  await Promise.all(volumes.map((volume) => target.ensureExport(volume)));
  const mine = await target.discover([place.shelf]);
  const host = '00:00:00:00:00:00';
  t.deepEqual(
    mine,
    volumes.map(({ address }) => ({ address, host })),
  );
});

real('an export continues after the process that started it has ended', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const script = `
    import { ChildProcesses } from './lib/process.ts';
    import { silentLog } from './lib/log.ts';
    import { AoeTarget } from './lib/targets/aoe/target.ts';
    const [options, volume] = process.argv.slice(1).map((text) => JSON.parse(text));
    const target = new AoeTarget(options, { processes: new ChildProcesses(), log: silentLog });
    await target.setup();
    await target.ensureExport(volume);
    process.kill(process.pid, 'SIGKILL');`;
  const options = {
    interface: 'lo',
    durability: 'sync',
    stateDir: place.directory,
    numShellTries: 1,
    unfiltered: false,
    supervisor: 'detached',
  };
  const daemon = spawn(
    process.execPath,
    ['--input-type=module-typescript', '-e', script, JSON.stringify(options), JSON.stringify(volume)],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const [, signal]: unknown[] = await once(daemon, 'exit');
  t.is(signal, 'SIGKILL');
  const before = await place.vblade();
  await exportedBefore(place, volume);
  t.deepEqual(await place.vblade(), before);
});

real('missing storage is an ExportFailed with the reason, and leaves no process', async (t) => {
  const place = await placeFor(t);
  const target = await place.readyTarget();
  const volume = { ...(await place.volume(1)), path: join(place.directory, 'nowhere') };
  const error = await t.throwsAsync(target.ensureExport(volume), { code: 'ExportFailed' });
  t.is(error?.message, `could not export volume ${volume.id}: open: No such file or directory`);
  t.deepEqual(await place.vblades(), []);
});
