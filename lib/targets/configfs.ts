import { chmod, mkdir, readdir, readlink, rmdir, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { CommandError } from '../command-error.ts';
import { absentAs, errorCode, readAttribute, statIfExists } from '../files.ts';
import type { Processes } from '../process.ts';

/** For how long the kernel may wait for the last commands of a session: those of hanging storage do not end. */
const sessionMs = 20_000;
const hiddenMode = 0o700;

/** Of a subsystem of the kernel, `<root>/<its name>`. */
export const configfsRoot = '/sys/kernel/config';

/** Why the kernel refused a change, in its own words (EBUSY, EINVAL, …) or those of a command; never with a value, which can be a secret. */
export class ConfigfsFailure extends Error {
  /** Of the object, below configfs. */
  readonly path: string;
  readonly code: string;

  constructor(path: string, code: string) {
    super(`${path}: ${code}`);
    this.path = path;
    this.code = code;
  }
}

/**
 * A target of the kernel as its directory in configfs shows it. A directory is an object, which has its attributes from its creation;
 * a link relates two. Paths are relative to that directory. All changes throw ConfigfsFailure.
 */
export interface Configfs {
  /** None for an object that does not exist. */
  directories(path: string): Promise<string[]>;
  links(path: string): Promise<string[]>;
  /** Returns where a link leads, relative to the root; undefined for one that does not exist. */
  follow(path: string): Promise<string | undefined>;
  /** Returns the value of an attribute without the newline at its end; undefined without the object. */
  read(path: string): Promise<string | undefined>;
  write(path: string, value: string): Promise<void>;
  /** An object that exists already is success. */
  create(path: string): Promise<void>;
  link(path: string, to: string): Promise<void>;
  /** Absent is success, as with the other removals. */
  unlink(path: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Only root may read what is below: the kernel gives a secret to everybody. No program that saves and restores configfs keeps that. */
  hide(path: string): Promise<void>;
  isHidden(path: string): Promise<boolean>;
  /** Removes an object whose sessions end by that. */
  removeWithSessions(path: string): Promise<void>;
  /** The same by an attribute. */
  writeEndingSessions(path: string, value: string): Promise<void>;
  /** The same by the end of a link. */
  unlinkEndingSessions(path: string): Promise<void>;
}

export class KernelConfigfs implements Configfs {
  private readonly processes: Processes;
  private readonly root: string;
  private readonly limitMs: number;

  constructor(processes: Processes, root: string, { limitMs = sessionMs }: { limitMs?: number } = {}) {
    this.processes = processes;
    this.root = root;
    this.limitMs = limitMs;
  }

  async directories(path: string): Promise<string[]> {
    return (await this.entries(path)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
  }

  async links(path: string): Promise<string[]> {
    return (await this.entries(path)).filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  }

  async follow(path: string): Promise<string | undefined> {
    const file = join(this.root, path);
    const to = await absentAs(undefined, readlink(file));
    return to === undefined ? undefined : relative(this.root, resolve(dirname(file), to));
  }

  async read(path: string): Promise<string | undefined> {
    return (await readAttribute(join(this.root, path)))?.replace(/\n$/, '');
  }

  write(path: string, value: string): Promise<void> {
    return named(path, writeFile(join(this.root, path), value));
  }

  create(path: string): Promise<void> {
    return named(path, mkdir(join(this.root, path)), 'EEXIST');
  }

  link(path: string, to: string): Promise<void> {
    return named(path, symlink(join(this.root, to), join(this.root, path)), 'EEXIST');
  }

  unlink(path: string): Promise<void> {
    return named(path, unlink(join(this.root, path)), 'ENOENT');
  }

  remove(path: string): Promise<void> {
    return named(path, rmdir(join(this.root, path)), 'ENOENT');
  }

  hide(path: string): Promise<void> {
    return named(path, chmod(join(this.root, path), hiddenMode));
  }

  async isHidden(path: string): Promise<boolean> {
    const status = await statIfExists(join(this.root, path));
    return status !== undefined && (status.mode & 0o777) === hiddenMode;
  }

  // In processes: a thread of this one would wait for hanging storage, and Node.js has four.
  async removeWithSessions(path: string): Promise<void> {
    await this.run(path, 'rmdir', [join(this.root, path)]);
  }

  async writeEndingSessions(path: string, value: string): Promise<void> {
    await this.run(path, 'tee', [join(this.root, path)], value);
  }

  async unlinkEndingSessions(path: string): Promise<void> {
    await this.run(path, 'rm', ['-f', join(this.root, path)]);
  }

  private entries(path: string) {
    return absentAs([], readdir(join(this.root, path), { withFileTypes: true }));
  }

  private async run(path: string, command: string, args: readonly string[], input?: string): Promise<void> {
    try {
      await this.processes.run(command, args, { timeoutMs: this.limitMs, ...(input === undefined ? {} : { input }) });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { timedOut, stderr, exitCode } = error.failure;
      const words = stderr.trim().split(': ').at(-1);
      throw new ConfigfsFailure(path, timedOut ? 'its sessions do not end' : words || `${command} failed: ${exitCode}`);
    }
  }
}

async function named(path: string, change: Promise<unknown>, success?: string): Promise<void> {
  try {
    await change;
  } catch (error) {
    const code = errorCode(error);
    if (code !== undefined && code === success) return;
    throw new ConfigfsFailure(path, code ?? String(error));
  }
}
