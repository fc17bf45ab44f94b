import { inspect } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { SolarisDriver } from '../../../lib/drivers/solaris/driver.ts';
import { asError } from '../../../lib/errors.ts';
import type { DirectShell } from '../../support/fake-san/direct-shell.ts';
import { spec } from '../drivers/conformance.ts';
import { LefthandPlace } from '../targets/lefthand/place.ts';
import { SolarisPlace } from '../targets/solaris/place.ts';

/** Answers that end early with exit code 0, at each of their characters. */

const hosts = ['iqn.1993-08.org.debian:01:one'];

interface Subject {
  shell: DirectShell;
  /** Everything that the storage has. */
  state: () => unknown;
}

/** The answers that the work reads, by their commands, each without its last line end. */
async function answersOf({ shell }: Subject, work: () => Promise<unknown>): Promise<ReadonlyMap<string, string>> {
  const answers = new Map<string, string>();
  shell.alter = (words, answer) => {
    answers.set(words.join(' '), answer.stdout.trimEnd());
    return answer;
  };
  await work();
  return answers;
}

/** The work fails for each of the answers, wherever that ends, and the storage stays as it is. */
async function failsForEachCut(
  t: ExecutionContext,
  { shell, state }: Subject,
  answers: ReadonlyMap<string, string>,
  work: () => Promise<unknown>,
): Promise<void> {
  const before = inspect(state(), { depth: null });
  for (const [command, whole] of answers) {
    for (let length = 0; length < whole.length; length += 1) {
      const stdout = whole.slice(0, length);
      shell.alter = (words, answer) => (words.join(' ') === command ? { ...answer, stdout } : answer);
      const code = await work().then(
        () => 'success',
        (error: unknown) => asError(error).code,
      );
      if (code !== 'AnswerUnreadable') t.is(code, 'AnswerUnreadable', `${command}\n${stdout}`);
    }
  }
  shell.alter = (_words, answer) => answer;
  t.is(inspect(state(), { depth: null }), before);
}

test('solaris: a list that ends early is an error wherever it ends, and changes nothing', async (t) => {
  const place = new SolarisPlace();
  t.teardown(() => place.remove());
  const { device, shell } = place;
  const subject = { shell, state: () => [device.zfs, device.comstar] };
  const target = place.made();
  const driver = new SolarisDriver(shell, { base: 'tank/', thin: true, node: 'n1' });
  await driver.setup();
  const volume = spec();
  const other = spec();
  for (const one of [volume, other]) {
    await driver.createVolume(one);
    const path = driver.localPath(one);
    await target.ensureExport({ id: one.id, path, address: target.addressOf(one.id), readOnly: false, hosts });
  }
  const datasets = await answersOf(subject, () => driver.hasVolume(volume));
  t.is(datasets.size, 1);
  await failsForEachCut(t, subject, datasets, () => driver.hasVolume(volume));
  await failsForEachCut(t, subject, datasets, () => driver.createVolume(volume));
  await failsForEachCut(t, subject, datasets, () => driver.deleteVolume(volume));
  const inventory = await answersOf(subject, () => target.setup());
  t.is(inventory.size, 7);
  await failsForEachCut(t, subject, inventory, () => target.removeExport(volume.id));
  await target.removeExport(volume.id);
  await driver.deleteVolume(volume);
  t.deepEqual([await driver.hasVolume(volume), await driver.hasVolume(other)], [false, true]);
  t.is(device.comstar.units.size, 1);
});

test('lefthand: a list that ends early is an error wherever it ends, and changes nothing', async (t) => {
  const place = await LefthandPlace.create();
  t.teardown(() => place.remove());
  const { device, shell } = place;
  const subject = { shell, state: () => [device.volumes, device.servers] };
  const target = place.made(false);
  const driver = new LefthandDriver(shell, { cluster: 'c1', thin: true, node: 'n1' });
  const volume = spec();
  const exported = await place.volume();
  await driver.createVolume(volume);
  await target.ensureExport(exported);
  const volumes = await answersOf(subject, () => driver.hasVolume(volume));
  t.is(volumes.size, 1);
  await failsForEachCut(t, subject, volumes, () => driver.hasVolume(volume));
  await failsForEachCut(t, subject, volumes, () => driver.createVolume(volume));
  await failsForEachCut(t, subject, volumes, () => driver.deleteVolume(volume));
  await failsForEachCut(t, subject, volumes, () => target.removeExport(exported.id));
  const figures = [...(await answersOf(subject, () => driver.stats()))].filter(([one]) => one.startsWith('getCluster'));
  t.is(figures.length, 1);
  await failsForEachCut(t, subject, new Map(figures), () => driver.setup());
  await target.removeExport(exported.id);
  await driver.deleteVolume(volume);
  t.false(await driver.hasVolume(volume));
  t.deepEqual(await target.listExports(), []);
});
