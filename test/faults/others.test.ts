import { mkdir, writeFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkAttaching } from '../../cli/doctor/compute.ts';
import { LibvirtDomains } from '../../lib/connectors/libvirt.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { Discovery } from '../../lib/targets/aoe/discover.ts';
import { Launcher } from '../../lib/targets/aoe/launcher.ts';
import { SystemdSupervisor, knowsUnit } from '../../lib/targets/aoe/systemd.ts';
import { Place, cannotExport } from '../lib/targets/aoe/place.ts';
import { FaultyCommands, faults } from './faulty-commands.ts';

/** What the AoE target, the connectors and the doctor make of commands that go wrong. */

const real = cannotExport === undefined ? test : test.skip;

async function commandsFor(t: ExecutionContext, ...names: [name: string, real?: string][]): Promise<FaultyCommands> {
  t.timeout(600_000);
  const commands = await FaultyCommands.create();
  t.teardown(() => commands.remove());
  for (const name of names) await commands.put(...name);
  return commands;
}

/** The answer, or the error of the catalogue that has a hint. */
async function endOf<T>(t: ExecutionContext, work: Promise<T>): Promise<T | BlockstoreError> {
  const began = performance.now();
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof BlockstoreError)) throw error;
    t.not(error.code, 'Internal');
    t.truthy(error.hint, error.message);
    return error;
  } finally {
    t.true(performance.now() - began < 75_000);
  }
}

const uuid = '00000000-0000-4000-8000-000000000001';
const everyFault = [...faults, 'stubborn', 'no output'];

for (const command of ['perl', 'vblade']) {
  real(`an export whose ${command} goes wrong is made by the next try, once, and can be removed`, async (t) => {
    const place = await Place.create();
    t.teardown(() => place.remove());
    const commands = await commandsFor(t, ['perl', '/usr/bin/perl'], ['vblade', '/usr/sbin/vblade']);
    // vblade that hangs keeps its lock, as it must; what perl and vblade say is read by lines, as a log.
    const met = everyFault.filter((fault) => command === 'perl' || !/hang|stubborn/.test(fault));
    for (const fault of met.filter((one) => one !== 'half an output')) {
      const target = place.target({}, { processes: commands });
      await target.setup();
      const volume = await place.volume(1);
      await commands.give(command, fault);
      const answer = await endOf(t, target.ensureExport(volume));
      if (answer instanceof BlockstoreError) t.regex(answer.message, /vblade|volume|network interface lo/, fault);
      await commands.give(command);
      await target.ensureExport(volume);
      t.is((await place.vblades()).length, 1, fault);
      await target.removeExport(volume.id);
      t.deepEqual(await place.vblades(), [], fault);
      await target.close();
    }
  });
}

test('a hanging launcher is killed at its time limit and at close, and the next launch starts another one', async (t) => {
  const commands = await commandsFor(t, ['perl']);
  const launcher = new Launcher(commands, { asRoot: false, limitMs: 300 });
  await commands.give('perl', 'stubborn', 'hang');
  for (const _ of [1, 2]) {
    await t.throwsAsync(launcher.launch('/nowhere', '/nowhere', []), {
      code: 'LauncherEnded',
      message: /no answer within 0.3 s/,
    });
  }
  await t.notThrowsAsync(launcher.close());
});

real('an incomplete discovery is an error: an omitted address would count as free', async (t) => {
  const commands = await commandsFor(t, ['perl', '/usr/bin/perl']);
  for (const fault of everyFault) {
    const discovery = new Discovery(commands, { interface: 'lo', quietMs: 50, answerMs: 1500 });
    await commands.give('perl', fault);
    const answer = await endOf(t, discovery.shelves([1]));
    t.is(Array.isArray(answer), /warning|JSON/.test(fault), fault);
    await commands.give('perl');
    t.true(Array.isArray(await discovery.shelves([1])), `the next one is whole after ${fault}`);
    await discovery.close();
  }
});

test('only the answer of systemd that a unit does not exist selects the other supervisor', async (t) => {
  const commands = await commandsFor(t, ['systemctl']);
  commands.limitMs = 1500;
  t.true(await knowsUnit(1, commands));
  for (const fault of faults.filter((one) => !/half|warning|JSON/.test(one))) {
    await commands.give('systemctl', fault);
    t.true((await endOf(t, knowsUnit(1, commands))) instanceof BlockstoreError, fault);
  }
  await writeFile(
    join(commands.directory, 'bin', 'systemctl'),
    '#!/bin/sh\necho "No files found for blockstore-vblade@.service." >&2; exit 1\n',
  );
  t.false(await knowsUnit(1, commands));
});

test('the rules for sudo permit what the exports of devices and of files need, with limits and without', async (t) => {
  const rules = await readFile(join(import.meta.dirname, '../../etc/sudoers.d/blockstore'), 'utf8');
  const permitted = [...rules.matchAll(/\/usr\/bin\/(systemctl .*?)(?:, \\)?$/gm)].map(
    ([, rule = '']) =>
      new RegExp(`^${rule.replaceAll('\\', '').replaceAll('.', String.raw`\.`).replaceAll('*', '.*')}$`),
  );
  const commands = await commandsFor(t, ['systemctl'], ['journalctl']);
  const directory = join(commands.directory, 'exports');
  await mkdir(directory);
  const supervisor = new SystemdSupervisor({ directory, interface: 'lo', asRoot: false, tries: 1 }, commands);
  await writeFile(join(commands.directory, 'disk'), '');
  for (const path of ['/dev/null', join(commands.directory, 'disk')]) {
    for (const limits of [
      { iops: undefined, bytesPerSecond: undefined },
      { iops: 100, bytesPerSecond: 1_048_576 },
    ]) {
      await commands.give('systemctl', 'exit 5');
      await endOf(t, supervisor.start('v1', ['1', '1', 'lo', path], limits));
    }
  }
  const calls = (await commands.calls()).filter((call) => call.startsWith('systemctl'));
  t.is(calls.filter((call) => call.includes('IOWriteBandwidthMax=')).length, 2);
  for (const call of calls)
    t.true(
      permitted.some((rule) => rule.test(call)),
      call,
    );
});

test('a unit that could not start is stopped, and the reason is reported also without the journal', async (t) => {
  const commands = await commandsFor(t, ['systemctl'], ['journalctl']);
  commands.limitMs = 1500;
  const directory = join(commands.directory, 'exports');
  await mkdir(directory);
  const supervisor = new SystemdSupervisor({ directory, interface: 'lo', asRoot: false, tries: 1 }, commands);
  for (const fault of ['exit 5', 'exit 139', 'hang', 'stubborn', 'ENOSPC', 'EPERM']) {
    await commands.give('systemctl', fault);
    await commands.give('journalctl', fault, fault, fault);
    const answer = await endOf(t, supervisor.start('v1', ['1', '1', 'lo', '/dev/null']));
    const { code, message } = answer instanceof BlockstoreError ? answer : { code: '', message: '' };
    t.is(code, 'ExportFailed', fault);
    t.regex(message, /^could not export volume v1: "systemctl set-property/, fault);
    t.deepEqual((await commands.calls()).slice(-3), [
      'systemctl stop blockstore-vblade@v1.service',
      'systemctl reset-failed blockstore-vblade@v1.service',
      'systemctl revert --no-reload blockstore-vblade@v1.service',
    ]);
  }
});

test('a domain with incomplete information gets no disk and keeps none', async (t) => {
  const commands = await commandsFor(t, ['virsh', join(import.meta.dirname, 'commands', 'virsh')]);
  commands.limitMs = 1500;
  const domains = new LibvirtDomains(
    { uri: 'fake:///', detachTimeoutMs: 5000, askAgainMs: 100 },
    { processes: commands },
  );
  for (const verb of ['attach', 'detach'] as const) {
    for (const fault of everyFault) {
      // An answer may be missing; that nothing was done and success was reported is no fault that a command has.
      for (const nth of /hang|stubborn/.test(fault) ? [0] : fault === 'no output' ? [0, 1] : [0, 1, 2]) {
        await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
        if (verb === 'attach') await domains.detach(uuid, '/dev/etherd/e7.1');
        await commands.give('virsh', ...['', '', ''].slice(0, nth), fault);
        const answer = await endOf(
          t,
          verb === 'attach'
            ? domains.attach(uuid, '/dev/etherd/e7.1', 'vdb')
            : domains.detach(uuid, '/dev/etherd/e7.1'),
        );
        await commands.give('virsh');
        const disks = (await commands.run('virsh', ['dumpxml', '--', uuid])).stdout;
        const config = (await commands.run('virsh', ['dumpxml', '--inactive', '--', uuid])).stdout;
        const expected = verb === 'attach' ? /e7\.1/ : /^((?!e7\.1).)*$/s;
        if (answer instanceof BlockstoreError)
          t.regex(answer.message, /libvirt domain|virsh/, `${verb}, ${fault}, ${nth}`);
        else for (const scope of [disks, config]) t.regex(scope, expected, `${verb}, ${fault}, ${nth}`);
      }
    }
  }
});

test('doctor reports the kernel module as missing only if modinfo says so', async (t) => {
  const commands = await commandsFor(t, ['modinfo']);
  commands.limitMs = 1500;
  for (const fault of ['exit 5', 'exit 139', 'hang', 'stubborn']) {
    await commands.give('modinfo', fault);
    t.like(await endOf(t, checkAttaching(commands, true)), { code: 'CommandFailed' }, fault);
  }
});
