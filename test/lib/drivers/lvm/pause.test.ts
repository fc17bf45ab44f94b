import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CommandError } from '../../../../lib/command-error.ts';
import { Pauses } from '../../../../lib/drivers/lvm/pause.ts';
import { statIfExists } from '../../../../lib/files.ts';
import { ChildProcesses, type RunResult } from '../../../../lib/process.ts';
import { until } from '../../../support/until.ts';

/** Device-mapper without a kernel: which devices are suspended, and what fails. */
class FakeDeviceMapper extends ChildProcesses {
  readonly suspended = new Set<string>();
  readonly commands: string[] = [];
  /** Returns the reason why a command fails for a device. */
  failure: (command: string, device: string) => string | undefined = () => undefined;

  override async run(command: string, [verb = '', ...args]: readonly string[]): Promise<RunResult> {
    this.commands.push([command, verb, ...args].join(' '));
    for (const device of args.filter((arg) => !arg.startsWith('-'))) {
      const stderr = this.failure(verb, device);
      if (stderr !== undefined) throw failed(`${command} ${verb} ${device}`, stderr);
      if (verb === 'suspend') this.suspended.add(device);
      else this.suspended.delete(device);
    }
    return { stdout: '', stderr: '' };
  }
}

function failed(command: string, stderr: string): CommandError {
  const ended = { exitCode: 1, signal: undefined, stdout: '', notFound: false, timedOut: false, cancelled: false };
  return new CommandError({ command, stderr, ...ended });
}

async function place(t: ExecutionContext, limitMs?: number) {
  const directory = await mkdtemp(path.join(tmpdir(), 'pause-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const processes = new FakeDeviceMapper();
  const options = { processes, directory, ...(limitMs === undefined ? {} : { limitMs }) };
  return { processes, file: path.join(directory, 'paused'), pauses: new Pauses(options) };
}

const devices = ['vg-a', 'vg-b'];

test('devices are suspended during the work, noted in a file, and resumed after it', async (t) => {
  const { processes, file, pauses } = await place(t);
  await pauses.during(devices, async () => {
    t.deepEqual([...processes.suspended], devices);
    t.is(await readFile(file, 'utf8'), 'vg-a\nvg-b\n');
  });
  t.deepEqual(processes.commands, ['dmsetup suspend vg-a vg-b', 'dmsetup resume --noudevsync vg-a vg-b']);
  t.is(await statIfExists(file), undefined);
});

test('devices are resumed where the work fails, or one of them cannot be suspended', async (t) => {
  const { processes, file, pauses } = await place(t);
  const work = async () => {
    throw new Error('no space');
  };
  await t.throwsAsync(pauses.during(devices, work), { message: 'no space' });
  t.is(processes.suspended.size, 0);
  processes.failure = (verb, device) => (verb === 'suspend' && device === 'vg-b' ? 'busy' : undefined);
  await t.throwsAsync(
    pauses.during(devices, async () => t.fail('the work began')),
    { code: 'LvmFailed' },
  );
  t.is(processes.suspended.size, 0);
  t.is(await statIfExists(file), undefined);
});

test('devices are resumed at the limit, and what is done later is refused', async (t) => {
  const { processes, pauses } = await place(t, 50);
  let done = 0;
  const paused = pauses.during(devices, async (check) => {
    done += 1;
    check();
    await until(async () => processes.suspended.size === 0, 'the devices are resumed at the limit');
    done += 1;
    check();
    done += 1;
  });
  await t.throwsAsync(paused, { code: 'PauseTooLong' });
  t.is(done, 2);
});

test('a device that cannot be resumed is reported, and noted for the next start; the others are resumed', async (t) => {
  const { processes, file, pauses } = await place(t);
  processes.failure = (verb, device) => (verb === 'resume' && device === 'vg-a' ? 'busy' : undefined);
  await t.throwsAsync(
    pauses.during(devices, async () => {}),
    { code: 'NotResumed', message: /device vg-a/ },
  );
  t.deepEqual([...processes.suspended], ['vg-a']);
  t.is(await readFile(file, 'utf8'), 'vg-a\nvg-b\n');
  processes.failure = () => undefined;
  await pauses.resumeLeft();
  t.is(processes.suspended.size, 0);
});

test('a start resumes the devices in the file, passes over those that are gone, and touches no other', async (t) => {
  const { processes, file, pauses } = await place(t);
  await pauses.resumeLeft();
  t.deepEqual(processes.commands, []);
  await writeFile(file, 'vg-a\nvg-gone\nvg-b\n');
  for (const device of [...devices, 'vg-foreign']) processes.suspended.add(device);
  processes.failure = (_verb, device) =>
    device === 'vg-gone' ? 'resume ioctl on vg-gone failed: No such device or address' : undefined;
  await pauses.resumeLeft();
  t.deepEqual([...processes.suspended], ['vg-foreign']);
  t.is(await statIfExists(file), undefined);
});

test('a set-up during the work resumes nothing', async (t) => {
  const { processes, pauses } = await place(t);
  await pauses.during(devices, async () => {
    await pauses.resumeLeft();
    t.deepEqual([...processes.suspended], devices);
  });
});
