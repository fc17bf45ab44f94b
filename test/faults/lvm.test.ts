import { stat } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import type { VolumeSpec } from '../../lib/drivers/driver.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { foundAs, spec } from '../lib/drivers/conformance.ts';
import { FaultyCommands, faults } from './faulty-commands.ts';

/** One call of one command goes wrong at a time: what each verb of the LVM driver makes of it, and what is left. */

interface Place {
  commands: FaultyCommands;
  driver: LvmDriver;
  /** Is there from the beginning, and must be there to the end. */
  kept: VolumeSpec;
  volume: VolumeSpec;
}

async function place(t: ExecutionContext, shell: boolean): Promise<Place> {
  t.timeout(600_000);
  const commands = await FaultyCommands.create();
  await commands.put('blkdiscard');
  await commands.put('sync');
  commands.residents = shell;
  const driver = commands.lvmDriver();
  t.teardown(async () => {
    await driver.close();
    await commands.remove();
  });
  await driver.setup();
  const kept = spec({ labels: { address: 'e1.0' } });
  await driver.createVolume(kept);
  return { commands, driver, kept, volume: spec({ labels: { address: 'e1.1' } }) };
}

/** What each verb must have come to once it succeeded. `before` is without faults. */
const verbs: Record<
  string,
  {
    before?: (at: Place) => Promise<unknown>;
    run: (at: Place) => Promise<unknown>;
    commands: number;
    check: (t: ExecutionContext, at: Place, answer: unknown) => Promise<unknown>;
  }
> = {
  setup: {
    run: ({ driver }) => driver.setup(),
    commands: 8,
    check: async (t, { driver, kept }) => t.true(await driver.hasVolume(kept)),
  },
  createVolume: {
    run: ({ driver, volume }) => driver.createVolume(volume),
    commands: 2,
    check: async (t, { driver, volume }) => t.true(await driver.hasVolume(volume)),
  },
  hasVolume: {
    run: ({ driver, kept }) => driver.hasVolume(kept),
    commands: 1,
    check: async (t, _, answer) => t.true(answer),
  },
  ensureVolume: {
    run: ({ driver, kept }) => driver.ensureVolume(kept),
    commands: 1,
    check: async (t, { driver, kept }) => t.true(await driver.hasVolume(kept)),
  },
  labelVolume: {
    run: ({ driver, kept }) => driver.labelVolume(kept),
    commands: 1,
    check: async (t, { driver, kept }) => t.true(await driver.hasVolume(kept)),
  },
  deleteVolume: {
    before: ({ driver, volume }) => driver.createVolume(volume),
    run: ({ driver, volume }) => driver.deleteVolume(volume),
    commands: 3,
    check: async (t, { driver, volume }) => t.false(await driver.hasVolume(volume)),
  },
  listVolumes: {
    run: ({ driver }) => driver.listVolumes(),
    commands: 1,
    check: async (t, { kept }, answer) => t.deepEqual(answer, [foundAs(kept)]),
  },
  stats: {
    before: () => pause(1100), // what was asked for a moment ago is remembered
    run: ({ driver }) => driver.stats(),
    commands: 2,
    check: async (t, _, answer) =>
      t.deepEqual(answer, {
        totalBytes: 1000 * 2 ** 30,
        freeBytes: 500 * 2 ** 30,
        volumeBytes: 100 * 2 ** 20,
        acceptsCreates: true,
      }),
  },
};

/** The codes that an operator may see; every other one would be a fault of ours. */
const told = new Set(['LvmInterrupted', 'LvmFailed', 'CommandFailed', 'NoVolumeGroup']);

async function meet(t: ExecutionContext, at: Place, name: string, work: () => Promise<unknown>): Promise<unknown> {
  const began = performance.now();
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof BlockstoreError)) throw error;
    t.true(told.has(error.code), `${name}: ${error.code}, ${error.message}`);
    t.truthy(error.hint, `${name}: ${error.message}`);
    return error;
  } finally {
    t.true(performance.now() - began < 120_000, `${name} took ${performance.now() - began} ms`);
    t.true((await at.commands.logicalVolumes()).includes(`volume-${at.kept.id}`), `${name}: another volume is there`);
  }
}

const lvmFaults = [...faults, 'no report', 'empty object', 'done, then exit 139'];

for (const shell of [false, true]) {
  const kind = shell ? 'a resident shell' : 'a process for each command';
  for (const fault of lvmFaults) {
    if (shell && fault === 'hang') continue; // a shell's limit is its own, and tested with it
    test(`LVM by ${kind}, ${fault}: every command of every verb`, async (t) => {
      const at = await place(t, shell);
      if (fault === 'hang') at.commands.limitMs = 1500;
      for (const [name, verb] of Object.entries(verbs)) {
        for (let nth = 0; nth < verb.commands; nth += 1) {
          at.volume = spec({ labels: { address: 'e1.1' } });
          await verb.before?.(at);
          await at.commands.give('lvm', ...Array.from({ length: nth }, () => ''), fault);
          const answer = await meet(t, at, `${name}, command ${nth + 1}`, () => verb.run(at));
          await at.commands.give('lvm');
          if (!(answer instanceof BlockstoreError)) await verb.check(t, at, answer);
          if (answer instanceof BlockstoreError) await verb.before?.(at);
          await verb.check(t, at, await verb.run(at));
          await at.driver.deleteVolume(at.volume);
        }
      }
    });
  }
}

for (const command of ['blkdiscard', 'sync']) {
  test(`a volume whose ${command} goes wrong is never removed unwiped`, async (t) => {
    await Promise.all(
      [...faults, 'stubborn'].map(async (fault) => {
        const at = await place(t, false);
        at.commands.limitMs = 1500;
        const { driver, volume, commands } = at;
        await driver.createVolume(volume);
        await commands.give(command, fault, fault);
        const answer = await meet(t, at, `${fault} of ${command}`, () => driver.deleteVolume(volume));
        const isThere = (await commands.logicalVolumes()).includes(`volume-${volume.id}`);
        t.is(isThere, answer instanceof BlockstoreError, fault);
        if (isThere) {
          t.regex(String(answer), new RegExp(volume.id), 'the error names the volume');
          await commands.give(command);
          await driver.deleteVolume(volume);
        }
        const ends = (await commands.calls()).filter((call) => call.includes(volume.id)).slice(-4);
        t.deepEqual(
          ends.map((call) => call.split(' ')[0]),
          ['blkdiscard', 'sync', 'lvs', 'lvremove'],
          fault,
        );
      }),
    );
  });
}

test('the driver does not start without space for its configuration, and names the file', async (t) => {
  const { commands } = await place(t, true);
  const directory = '/dev/full/state';
  const driver = commands.lvmDriver({ numShellTries: 1, directory });
  await t.throwsAsync(stat(directory), { code: 'ENOTDIR' });
  await t.throwsAsync(driver.setup(), { message: /\/dev\/full\/state/ });
});
