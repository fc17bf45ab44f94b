import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';

const prefix = 'bslab-';
const remover = path.join(import.meta.dirname, 'remove.sh');

/**
 * Where a lab is: a name for its network namespace and a directory. A guard outside the test process
 * clears it away when the lab is closed or the test process has ended in whatever way.
 */
export class LabPlace {
  readonly name: string;
  readonly directory: string;
  #guard: ChildProcess;

  static async create(): Promise<LabPlace> {
    await removeLeftovers();
    const name = `${prefix}${process.pid}-${randomBytes(3).toString('hex')}`;
    const directory = directoryOf(name);
    await mkdir(directory, { mode: 0o700 });
    await writeFile(path.join(directory, 'owner'), await startTime(process.pid));
    const guard = spawn('sh', [remover, name, directory, 'at-end-of-input'], {
      detached: true,
      stdio: ['pipe', 'ignore', 'inherit'],
      cwd: '/',
    });
    await once(guard, 'spawn');
    guard.unref();
    return new LabPlace(name, directory, guard);
  }

  constructor(name: string, directory: string, guard: ChildProcess) {
    this.name = name;
    this.directory = directory;
    this.#guard = guard;
  }

  file(...names: string[]): string {
    return path.join(this.directory, ...names);
  }

  async remove(): Promise<void> {
    if (this.#guard.exitCode === null) {
      const exited = once(this.#guard, 'exit');
      this.#guard.ref();
      this.#guard.stdin?.end();
      await exited;
    }
    if (this.#guard.exitCode !== 0) throw new Error(`lab ${this.name} could not be removed`);
  }
}

/** Removes the remains of runs that were killed with their guard; names contain the pid. */
async function removeLeftovers(): Promise<void> {
  const entries = [...(await namesIn(os.tmpdir())), ...(await namesIn('/run/netns'))];
  for (const name of new Set(entries.filter((entry) => entry.startsWith(prefix)))) {
    if (!(await isOwned(name))) await execa('sh', [remover, name, directoryOf(name)]);
  }
}

async function isOwned(name: string): Promise<boolean> {
  const started = await startTime(Number(name.split('-')[1]));
  if (started === '') return false;
  const noted = await readFile(path.join(directoryOf(name), 'owner'), 'utf8').catch(() => '');
  return noted === '' || noted === started;
}

/** Returns the start time of a process, which distinguishes it from a later one with the same pid; '' if there is none. */
async function startTime(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => []);
}

function directoryOf(name: string): string {
  return path.join(os.tmpdir(), name);
}
