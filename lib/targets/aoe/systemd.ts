import { existsSync } from 'node:fs';
import { readFile, readlink, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../../command-error.ts';
import { pollUntil, retry } from '../../concurrency.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import { absentAs, errorCode, isAbsent, readIfExistsSync, replaceFile } from '../../files.ts';
import { type Limits, noLimits } from '../../models/limits.ts';
import type { Processes } from '../../process.ts';
import { endVblade } from './end-vblade.ts';
import { vbladeFailure } from './failures.ts';
import { type Vblade, readVblade, sameArguments } from './vblade-process.ts';
import type { Supervisor, SupervisorOptions } from './supervisor.ts';
import { changedLimits, limitsOfUnit } from './unit-limits.ts';

interface Template {
  name: string;
  /** Where systemd has the control groups of the template's instances (cgroup v2). */
  slice: string;
}

/** Of exports of block devices: a user without rights, and one device. */
const ofDevices: Template = {
  name: 'blockstore-vblade@',
  slice: String.raw`/sys/fs/cgroup/system.slice/system-blockstore\x2dvblade.slice`,
};
/** Of exports of files, which belong to root: root without rights beside this. */
const ofFiles: Template = {
  name: 'blockstore-vblade-file@',
  slice: String.raw`/sys/fs/cgroup/system.slice/system-blockstore\x2dvblade\x2dfile.slice`,
};
/** The only place where the units look for their arguments. */
const unitDirectory = '/var/lib/blockstore/exports';
const environmentSuffix = '.env';
const readyMs = 60_000;
const journalMs = 1000;
const journalLimitMs = 5000;

/**
 * vblade as an instance of the template unit blockstore-vblade@.service (for files blockstore-vblade-file@.service), which takes
 * its arguments from `<directory>/<volume id>.env`. systemd sees to it that one runs and starts it again when it dies.
 */
export class SystemdSupervisor implements Supervisor {
  readonly name = 'systemd';
  private readonly options: SupervisorOptions;
  private readonly processes: Processes;

  constructor(options: SupervisorOptions, processes: Processes) {
    this.options = options;
    this.processes = processes;
  }

  /** Whether systemd runs this machine and knows the template unit, and that unit finds its arguments in `directory`. */
  static async isAvailable(
    { directory, tries }: Pick<SupervisorOptions, 'directory' | 'tries'>,
    processes: Processes,
  ): Promise<boolean> {
    if (directory !== unitDirectory) return false;
    if (!existsSync('/run/systemd/system') || !existsSync('/sys/fs/cgroup/cgroup.controllers')) return false;
    return knowsUnit(tries, processes);
  }

  async start(id: string, args: readonly string[], limits: Limits = noLimits): Promise<Vblade> {
    const { template, path, text } = environment(args);
    const name = unit(template, id);
    await replaceFile(this.environmentFile(id), text);
    const found = await this.find(id);
    if (found && sameArguments(found.args, args)) {
      await this.limit(id, limits);
      return found;
    }
    const begin = Date.now();
    let reason = '';
    try {
      await this.setProperties(name, [...deviceOf(template, path), ...changedLimits(name, path, limits)]);
      // restart starts a unit that does not run, and clears the pause of one that is waiting to be started again
      await this.systemctl(['restart', name]);
      const vblade = await this.untilServing(id);
      if (vblade) return vblade;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      reason = error.message;
    }
    const failure = await this.failure(id, name, begin, reason);
    await this.stopUnit(name); // or systemd goes on trying what the caller takes for failed
    throw failure;
  }

  async limit(id: string, limits: Limits = noLimits): Promise<void> {
    const vblade = await this.find(id);
    if (!vblade) return;
    const { template, path } = environment(vblade.args);
    const name = unit(template, id);
    const changed = changedLimits(name, path, limits);
    if (changed.length === 0) return;
    try {
      await this.setProperties(name, [...deviceOf(template, path), ...changed]);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw vbladeFailure(id, this.options.interface, error.message);
    }
  }

  limitsOf(id: string): Limits | undefined {
    const running = [ofDevices, ofFiles]
      .map((template) => unit(template, id))
      .find((one) => processIn(one) !== undefined);
    return running === undefined ? undefined : limitsOfUnit(running);
  }

  /** The vblade once its socket is open; undefined when it ended before. */
  private async untilServing(id: string): Promise<Vblade | undefined> {
    let vblade: Vblade | undefined;
    let ended = false;
    const answered = await pollUntil(
      async () => {
        const pid = mainProcess(id);
        vblade = pid === undefined ? undefined : readVblade(pid);
        ended = pid === undefined;
        return ended || (vblade !== undefined && (await hasRawSocket(vblade.pid)));
      },
      { deadlineMs: readyMs },
    );
    return answered && !ended ? vblade : undefined;
  }

  async stop(id: string): Promise<void> {
    // The file is written before the unit starts and deleted after it has stopped: without it there is no unit.
    const text = readIfExistsSync(this.environmentFile(id));
    if (text === undefined) return;
    const vblade = await this.find(id);
    await this.stopUnit(unit(templateOf(text), id));
    if (vblade) await endVblade(id, vblade, this.processes);
    await rm(this.environmentFile(id), { force: true });
  }

  async find(id: string): Promise<Vblade | undefined> {
    const pid = mainProcess(id);
    return pid === undefined ? undefined : readVblade(pid);
  }

  async findAll(): Promise<Map<string, Vblade>> {
    const found = new Map<string, Vblade>();
    for (const template of [ofDevices, ofFiles]) {
      for (const id of exportsIn(template, await absentAs([], readdir(template.slice)))) {
        const vblade = await this.find(id);
        if (vblade) found.set(id, vblade);
      }
    }
    return found;
  }

  async configured(): Promise<Map<string, readonly string[]>> {
    const found = new Map<string, readonly string[]>();
    for (const file of await absentAs([], readdir(this.options.directory))) {
      if (!file.endsWith(environmentSuffix)) continue;
      const text = readIfExistsSync(join(this.options.directory, file)) ?? '';
      const line = /^VBLADE_ARGS=(.+)$/m.exec(text)?.[1];
      if (line !== undefined) found.set(file.slice(0, -environmentSuffix.length), line.split(' '));
    }
    return found;
  }

  async close(): Promise<void> {}

  /** What vblade wrote to the journal since then; a line takes a moment to get there. */
  private async failure(id: string, name: string, since: number, reason: string): Promise<BlockstoreError> {
    const from = `@${(since / 1000).toFixed(3)}`;
    const args = ['--unit', name, '--identifier', 'vblade', '--since', from, '--output', 'cat', '--quiet'];
    const options = { asRoot: this.options.asRoot, timeoutMs: journalLimitMs };
    // Without a readable journal the failure is reported without its output.
    const read = () => this.processes.run('journalctl', args, options).catch(() => ({ stdout: '' }));
    const output = await pollUntil(async () => (await read()).stdout || undefined, { deadlineMs: journalMs });
    return vbladeFailure(id, this.options.interface, output ?? reason);
  }

  /** Settings at run time, which hold at once: systemd forgets them at a reboot. */
  private async setProperties(name: string, properties: readonly string[]): Promise<void> {
    if (properties.length > 0) await this.systemctl(['set-property', '--runtime', name, ...properties]);
  }

  private async stopUnit(name: string): Promise<void> {
    await this.systemctl(['stop', name]);
    // One that was waiting to be started again, or had to be killed, stays behind as failed, with its properties.
    await this.trySystemctl(['reset-failed', name]); // it was not loaded: there is nothing to reset
    // A unit that has stopped is not loaded: no reload. What is left is compared before its next start.
    await this.trySystemctl(['revert', '--no-reload', name]);
  }

  /** Its failure has no consequence. */
  private async trySystemctl(args: readonly string[]): Promise<void> {
    await this.systemctl(args).catch((error: unknown) => {
      if (!(error instanceof CommandError)) throw error;
    });
  }

  private async systemctl(args: readonly string[]) {
    return this.processes.run('systemctl', args, { asRoot: this.options.asRoot });
  }

  private environmentFile(id: string): string {
    return join(this.options.directory, id + environmentSuffix);
  }
}

/**
 * Whether systemd has the template. Only its word that there is none is believed: on a mistaken no, a second vblade would be
 * started beside each that systemd runs.
 */
export async function knowsUnit(tries: number, processes: Processes): Promise<boolean> {
  try {
    await retry(() => processes.run('systemctl', ['cat', `${ofDevices.name}.service`]), {
      tries,
      isRetryable: (error) => error instanceof CommandError && error.isRetryable && !isUnknown(error),
    });
    return true;
  } catch (error) {
    if (error instanceof CommandError && (error.failure.notFound || isUnknown(error))) return false;
    throw error;
  }
}

/** A unit of devices may use this one and no other. */
function deviceOf(template: Template, path: string): string[] {
  return template === ofDevices ? ['DeviceAllow=', `DeviceAllow=${path} rw`] : [];
}

function isUnknown(error: CommandError): boolean {
  return /No files found/i.test(error.failure.stderr);
}

function unit({ name }: Template, id: string): string {
  return `${name}${id}.service`;
}

/** Volume ids from the names of units. */
function exportsIn(template: Template, names: readonly string[]): string[] {
  const suffix = '.service';
  return names
    .filter((name) => name.startsWith(template.name) && name.endsWith(suffix))
    .map((name) => name.slice(template.name.length, -suffix.length));
}

/** The process of the unit, from its control group: systemctl would say the same for twenty times the price. */
function mainProcess(id: string): number | undefined {
  return processIn(unit(ofDevices, id)) ?? processIn(unit(ofFiles, id));
}

function processIn(name: string): number | undefined {
  const { slice } = name.startsWith(ofFiles.name) ? ofFiles : ofDevices;
  const processes = readIfExistsSync(join(slice, name, 'cgroup.procs'))?.trim();
  return processes ? Number(processes.split('\n')[0]) : undefined;
}

/** systemd splits $VBLADE_ARGS at blanks and takes quotes and backslashes away, so none may be inside an argument. */
function environment(args: readonly string[]): { template: Template; path: string; text: string } {
  const unsafe = args.find((argument) => !/^[\w@%+=:,./-]+$/.test(argument));
  if (unsafe !== undefined) {
    throw errors.invalidArgument('vblade argument', unsafe, 'made of letters, digits and @%+=:,./_-');
  }
  const [networkInterface = '', path = ''] = args.slice(-2);
  const text = `VBLADE_ARGS=${args.join(' ')}\nVBLADE_INTERFACE=${networkInterface}\n`;
  return { template: templateOf(text), path, text };
}

/** The template of an export, from what its unit reads. */
function templateOf(text: string): Template {
  return /^VBLADE_ARGS=.* \/dev\/\S+$/m.test(text) ? ofDevices : ofFiles;
}

/** Whether a process has opened a packet socket. Where that may not be seen, systemd's word that it runs must do. */
async function hasRawSocket(pid: number): Promise<boolean> {
  const rows = (await readFile('/proc/net/packet', 'utf8')).trim().split('\n').slice(1);
  const inodes = new Set(rows.map((row) => row.trim().split(/\s+/).at(-1)));
  try {
    const names = await readdir(`/proc/${pid}/fd`);
    const links = await Promise.all(names.map((name) => readlink(`/proc/${pid}/fd/${name}`).catch(() => '')));
    return links.some((link) => inodes.has(/^socket:\[(\d+)\]$/.exec(link)?.[1]));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EACCES' || code === 'EPERM') return true;
    if (isAbsent(error)) return false;
    throw error;
  }
}
