import { existsSync, globSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
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

/** Fills one MiB of a volume with a byte, by default the first. */
export async function fill(driver: RbdDriver, volume: VolumeSpec, byte: number, mib = 0): Promise<void> {
  await qemu(driver.localPath(volume), `write -P ${byte} ${mib}M 1M`);
}

/** Fills the beginning of an image, `pool/name`. */
export async function fillImage(image: string, byte: number, mib = 1): Promise<void> {
  await qemu(`rbd:${image}`, `write -P ${byte} 0 ${mib}M`);
}

/** Throws where another byte is in that MiB. */
export async function expectFilled(driver: RbdDriver, volume: VolumeSpec, byte: number, mib = 0): Promise<void> {
  const stdout = await qemu(driver.localPath(volume), `read -P ${byte} ${mib}M 1M`);
  if (/verification failed/.test(stdout)) throw new Error(`MiB ${mib} of ${volume.id} is not filled with ${byte}`);
}

/** `write` of a subject whose volumes are images. */
export async function writeBlock(localPath: string, offset: number, bytes: Uint8Array): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-block-'));
  try {
    await writeFile(join(directory, 'block'), bytes);
    await qemu(localPath, `write -s ${join(directory, 'block')} ${offset} ${bytes.length}`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/** `read` of such a subject. */
export async function readBlock(localPath: string, offset: number, length: number): Promise<Uint8Array> {
  const dump = await qemu(localPath, `read -v ${offset} ${length}`);
  const rows = [...dump.matchAll(/^[0-9a-f]{8,}: {2}((?:[0-9a-f]{2} )+)/gm)];
  return Buffer.from(rows.map(([, hex = '']) => hex.replaceAll(' ', '')).join(''), 'hex');
}

/** A client that has the volume open and is killed, or closed by `close`. */
export function openVolume(driver: RbdDriver, volume: VolumeSpec) {
  const child = execa('qemu-io', ['-f', 'raw', urlOf(driver.localPath(volume))], { reject: false, stdin: 'pipe' });
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

/** `discard` of such a subject. */
export async function discardBlocks(localPath: string, offset: number, length: number): Promise<void> {
  await qemu(localPath, `discard ${offset} ${length}`, ['-d', 'unmap']);
}

async function qemu(localPath: string, command: string, options: readonly string[] = []): Promise<string> {
  const args = [...options, '-f', 'raw', '-c', command, urlOf(localPath)];
  const { stdout } = await execa('qemu-io', args, { timeout: 120_000, reject: false, all: true });
  if (!/bytes at offset/.test(stdout) && !/verification failed/.test(stdout)) throw new Error(`qemu-io: ${stdout}`);
  return stdout;
}

function urlOf(localPath: string): string {
  return `${localPath}:conf=${ceph().conf}`;
}
