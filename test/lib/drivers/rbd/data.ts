import { randomUUID } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import type { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import { withoutCeph } from '../../../support/ceph.ts';
import { ceph } from './pools.ts';

const hasDriver = globSync('/usr/lib/*/qemu/block-rbd.so').length > 0;

export const canRead = existsSync('/usr/bin/qemu-io') && hasDriver;

/** Tests that read and write images; skipped without qemu-utils and qemu-block-extra. */
export const data = withoutCeph === undefined && canRead ? test.serial : test.serial.skip;

/** Fills the first MiB of a volume with a byte. */
export async function fill(driver: RbdDriver, volume: VolumeSpec, byte: number): Promise<void> {
  await qemu(driver, volume, `write -P ${byte} 0 1M`);
}

/** Throws where another byte is in the first MiB. */
export async function expectFilled(driver: RbdDriver, volume: VolumeSpec, byte: number): Promise<void> {
  const stdout = await qemu(driver, volume, `read -P ${byte} 0 1M`);
  if (/verification failed/.test(stdout)) throw new Error(`volume ${volume.id} is not filled with ${byte}`);
}

/** A client that has the volume open and is killed, or closed by `close`. */
export function openVolume(driver: RbdDriver, volume: VolumeSpec) {
  const child = execa('qemu-io', ['-f', 'raw', urlOf(driver, volume)], { reject: false, stdin: 'pipe' });
  return {
    kill: async () => {
      child.kill('SIGKILL');
      await child;
    },
    close: async () => {
      child.stdin.end('quit\n');
      await child;
    },
  };
}

/** Writes bytes that are all the same. */
export async function writeImage(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const text = Buffer.from(bytes);
  const block = 4096;
  // qemu-io takes the data of a file, and repeats it.
  const file = join(tmpdir(), `rbd-data-${randomUUID()}`);
  await writeFile(file, text.subarray(0, block));
  try {
    await qemuAt(path, `write -s ${file} ${offset} ${bytes.length}`);
  } finally {
    await rm(file);
  }
}

export async function readImage(path: string, offset: number, length: number): Promise<Uint8Array> {
  const stdout = await qemuAt(path, `read -v ${offset} ${length}`);
  const rows = [...stdout.matchAll(/^[0-9a-f]{8,}: +((?:[0-9a-f]{2} ){1,16})/gm)];
  return Buffer.from(
    rows
      .map(([, bytes]) => bytes)
      .join('')
      .replaceAll(' ', ''),
    'hex',
  );
}

export async function discardImage(path: string, offset: number, length: number): Promise<void> {
  await qemuAt(path, `discard ${offset} ${length}`, ['-d', 'unmap']);
}

async function qemu(driver: RbdDriver, volume: VolumeSpec, command: string): Promise<string> {
  return qemuAt(driver.localPath(volume), command);
}

async function qemuAt(path: string, command: string, options: readonly string[] = []): Promise<string> {
  const args = [...options, '-f', 'raw', '-c', command, `${path}:conf=${ceph().conf}`];
  const { stdout } = await execa('qemu-io', args, { timeout: 120_000, reject: false, all: true });
  if (!/bytes at offset/.test(stdout) && !/verification failed/.test(stdout)) throw new Error(`qemu-io: ${stdout}`);
  return stdout;
}

function urlOf(driver: RbdDriver, volume: VolumeSpec): string {
  return `${driver.localPath(volume)}:conf=${ceph().conf}`;
}
