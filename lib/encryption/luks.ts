import { existsSync } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { CommandError } from '../command-error.ts';
import { settledUsers, visibleUsers } from '../devices/users.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';

/**
 * A passphrase of 256 random bits needs no function that makes guessing slow: the default of cryptsetup takes seconds and up to 1 GiB of
 * memory at each attach.
 */
const format =
  '--batch-mode --type luks2 --cipher aes-xts-plain64 --key-size 512 --pbkdf pbkdf2 --pbkdf-force-iterations 1000';
/** Of cryptsetup: no permission, which means a wrong passphrase. */
const wrongPassphrase = 2;

export interface OpenOptions {
  passphrase: string;
  readOnly: boolean;
  /** Whether it never had data. */
  isNew: boolean;
  signal?: AbortSignal | undefined;
}

/** The plain text of an encrypted volume as a device of this host, by LUKS and the kernel's dm-crypt. Requires root. */
export class LuksDevice {
  /** Where the plain text is. */
  readonly path: string;
  private readonly volume: string;
  private readonly name: string;
  private readonly processes: Processes;

  constructor(volume: string, processes: Processes) {
    this.volume = volume;
    this.name = `blockstore-${volume}`;
    this.path = `/dev/mapper/${this.name}`;
    this.processes = processes;
  }

  get isOpen(): boolean {
    return existsSync(this.path);
  }

  /**
   * Opens the device; one that is new is formatted first. `onFormat` is called when it is, before it is opened. One that is open already stays
   * so. Throws EncryptionKeyWrong, NotEncrypted, EncryptionFailed, CommandNotFound.
   */
  async open(device: string, options: OpenOptions, onFormat: () => Promise<void>): Promise<void> {
    if (this.isOpen) return;
    const { passphrase: input, readOnly, isNew, signal } = options;
    if (!(await this.isLuks(device))) {
      if (!isNew || readOnly) throw errors.notEncrypted(this.volume, device);
      await this.run('the format', ['luksFormat', ...format.split(' '), '--key-file', '-', device], { input, signal });
    }
    if (isNew) await onFormat();
    try {
      const mode = readOnly ? ['--readonly'] : [];
      const args = ['open', '--type', 'luks', '--disable-keyring', ...mode, '--key-file', '-', device, this.name];
      await this.cryptsetup(args, { input, signal });
    } catch (error) {
      if (!(error instanceof CommandError) || error.failure.exitCode !== wrongPassphrase)
        throw this.failure('the opening', error);
      throw errors.wrongEncryptionKey(this.volume, device);
    }
  }

  /** Closes it; absent is success. With `force` also one that is used: its users get errors. Throws DeviceInUse, EncryptionFailed. */
  async close({ force }: { force: boolean }): Promise<void> {
    if (!this.isOpen) return;
    const kernelName = await this.kernelName();
    if (!force && kernelName !== undefined) {
      const { users } = await settledUsers(kernelName, visibleUsers);
      if (users.length > 0) throw errors.deviceInUse(this.path, users);
    }
    if (!force) return this.run('the closing', ['close', this.name]);
    // Not by cryptsetup, which reads the header first: of an export that is closed it would wait for minutes.
    await this.deviceMapper(['remove', '--retry', '--deferred', this.name]);
    await this.deviceMapper(['mknodes', this.name]); // without udev its node stays
  }

  /** After its device has grown. Returns the bytes of the plain text. Throws EncryptionFailed. */
  async grow(): Promise<number> {
    await this.run('the growth', ['resize', this.name]);
    const { stdout } = await this.processes.run('blockdev', ['--getsize64', this.path], { asRoot: true });
    return Number(stdout.trim());
  }

  private async isLuks(device: string): Promise<boolean> {
    try {
      await this.cryptsetup(['isLuks', device], {});
      return true;
    } catch (error) {
      if (error instanceof CommandError && error.failure.exitCode === 1) return false;
      throw this.failure('the examination', error);
    }
  }

  private async kernelName(): Promise<string | undefined> {
    const { rdev } = await stat(this.path);
    const numbers = `${rdev >> 8}:${(rdev & 0xff) | ((rdev >> 12) & 0xfff00)}`;
    return realpath(`/sys/dev/block/${numbers}`).then(basename, () => undefined);
  }

  private async run(what: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
    try {
      await this.cryptsetup(args, options);
    } catch (error) {
      throw this.failure(what, error);
    }
  }

  private async deviceMapper(args: readonly string[]): Promise<void> {
    try {
      await this.processes.run('dmsetup', args, { asRoot: true });
    } catch (error) {
      throw this.failure('the closing', error);
    }
  }

  private cryptsetup(args: readonly string[], { input, signal }: RunOptions) {
    return this.processes.run('cryptsetup', args, {
      asRoot: true,
      ...(input === undefined ? {} : { input }),
      ...(signal ? { signal } : {}),
    });
  }

  private failure(what: string, error: unknown): unknown {
    if (!(error instanceof CommandError) || error.failure.cancelled) return error;
    if (error.failure.notFound) return errors.commandMissing('cryptsetup or dmsetup', 'cryptsetup-bin');
    return errors.encryptionFailed(this.volume, what, error.message);
  }
}

interface RunOptions {
  input?: string | undefined;
  signal?: AbortSignal | undefined;
}
