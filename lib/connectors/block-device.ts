import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { CommandError } from '../command-error.ts';
import { pollUntil } from '../concurrency.ts';
import { isClaimed } from '../devices/claim.ts';
import { type DeviceUsers, blockDeviceUsers, settledUsers } from '../devices/users.ts';
import { errors } from '../errors.ts';
import { absentAs } from '../files.ts';
import type { Processes, RunOptions } from '../process.ts';
import type { RevalidateOptions, WaitOptions } from './connector.ts';

const defaultTimeoutMs = 30_000;
const pollMs = 50;
/** How long udev may take to name a device. */
const nameMs = 5000;
const readTimeoutMs = 10_000;

/** What connectors of every kind do with a device of this host. */
export class BlockDevices {
  private readonly processes: Processes;
  /** Called with what a person should know, although it is no error. */
  private readonly note: (text: string) => void;
  private hasNoted = false;

  constructor({ processes, note }: { processes: Processes; note: (text: string) => void }) {
    this.processes = processes;
    this.note = note;
  }

  /** `name` is that of the volume or device in errors. Throws ConnectorFailed. */
  async setReadOnly(name: string, path: string, readOnly: boolean): Promise<void> {
    await this.runTool(name, 'blockdev', [readOnly ? '--setro' : '--setrw', path], 'util-linux');
  }

  /** In a child process: a read that is never answered hangs in the kernel, and nothing ends it there. Throws ConnectorFailed. */
  async readOnce(name: string, path: string, signal: AbortSignal | undefined): Promise<void> {
    const args = [`if=${path}`, 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct', 'status=none'];
    await this.runTool(name, 'dd', args, 'coreutils', { timeoutMs: readTimeoutMs, ...(signal ? { signal } : {}) });
  }

  /** Throws ConnectorFailed. */
  async flush(name: string, path: string): Promise<void> {
    await this.runTool(name, 'blockdev', ['--flushbufs', path], 'util-linux', { timeoutMs: readTimeoutMs });
  }

  /** Removes a SCSI disk by the file that the kernel has for that. While its target may return, that waits. Throws ConnectorFailed. */
  async remove(name: string, file: string): Promise<void> {
    await this.writeTo(name, file, '1');
  }

  /** Writes to a file of the kernel. Throws ConnectorFailed. */
  async writeTo(name: string, file: string, value: string, timeoutMs = readTimeoutMs): Promise<void> {
    await this.runTool(name, 'tee', [file], 'coreutils', { timeoutMs, input: value });
  }

  /** `kernelName` is the device's name under /sys/block. Throws DeviceInUse, and ConnectorFailed where the kernel does not open it. */
  async refuseWhileUsed(
    kernelName: string,
    path: string,
    find: (kernelName: string) => Promise<DeviceUsers> = (name) => this.usersOf(name),
  ): Promise<void> {
    const { users, unreadable } = await settledUsers(kernelName, find);
    if (users.length > 0) throw errors.deviceInUse(path, users);
    if (unreadable > 0 && !this.hasNoted) {
      this.hasNoted = true;
      this.note(`the open files of ${unreadable} processes cannot be read: whether they use ${path} is unknown`);
    }
  }

  private async usersOf(kernelName: string): Promise<DeviceUsers> {
    return blockDeviceUsers(kernelName, async (path) => {
      try {
        return await isClaimed(this.processes, path, { asRoot: true, timeoutMs: readTimeoutMs });
      } catch (error) {
        throw failureOf(error, path, 'perl', 'perl-base', { what: 'the kernel does not open the device' });
      }
    });
  }

  private async runTool(
    name: string,
    command: string,
    args: readonly string[],
    debianPackage: string,
    options: RunOptions = {},
  ): Promise<void> {
    try {
      await this.processes.run(command, args, { asRoot: true, ...options });
    } catch (error) {
      const what = command === 'dd' ? 'a read of the device failed' : '';
      throw failureOf(error, name, command, debianPackage, { what, timeoutMs: options.timeoutMs });
    }
  }
}

/** Returns what a command that failed is for a person; `what` is what that means. */
function failureOf(
  error: unknown,
  name: string,
  command: string,
  debianPackage: string,
  { what, timeoutMs = readTimeoutMs }: { what: string; timeoutMs?: number | undefined },
): unknown {
  if (!(error instanceof CommandError) || error.failure.cancelled) return error;
  if (error.failure.notFound) return errors.commandMissing(command, debianPackage);
  const reason = error.failure.timedOut ? `no answer within ${timeoutMs / 1000} s` : error.message;
  return errors.connectorFailed(
    name,
    what === '' ? reason : `${what}: ${reason}`,
    'see that the export of the volume admits this host ("blockstore volume show"), that the network passes frames as large as the ' +
      'MTU of its interfaces, and "dmesg" of this host',
  );
}

/** Whether the condition holds within the time limit of the options. */
export async function poll(options: WaitOptions, condition: () => Promise<boolean>): Promise<boolean> {
  const { timeoutMs, signal } = options;
  return (
    (await pollUntil(condition, { deadlineMs: timeoutMs ?? defaultTimeoutMs, intervalMs: pollMs, signal })) === true
  );
}

/**
 * Returns the size of a device once it has that of the options. `hint` is for one that does not grow within the time limit. Throws
 * ConnectorFailed.
 */
export async function grownSize(
  name: string,
  options: RevalidateOptions,
  { readSize, hint }: { readSize: () => Promise<number | undefined>; hint: string },
): Promise<number> {
  const expected = options.sizeBytes ?? 0;
  let size = 0;
  const isThere = await poll(options, async () => {
    size = (await readSize()) ?? 0;
    return size >= expected;
  });
  if (isThere) return size;
  throw errors.connectorFailed(name, `it has ${size} bytes instead of ${expected}`, hint);
}

/** Returns the link of udev when it leads to the device; without udev, the name that the kernel has given the device for now. */
export async function namedPath(
  link: string,
  path: string,
  udev: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const leadsThere = async () => (await absentAs(undefined, realpath(link))) === path;
  const timeoutMs = existsSync(udev) ? nameMs : 0;
  return (await poll({ timeoutMs, ...(signal ? { signal } : {}) }, leadsThere)) ? link : path;
}

export function stays(path: string): Error {
  return errors.deviceInUse(path, ['the kernel, which does not release it']);
}
