import { existsSync, globSync } from 'node:fs';
import test from 'ava';
import { execa } from 'execa';
import type { RbdDriver } from '../../../../lib/drivers/rbd/driver.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import { withoutCeph } from '../../../support/ceph.ts';
import { ceph } from './pools.ts';

const hasDriver = globSync('/usr/lib/*/qemu/block-rbd.so').length > 0;

const canRead = existsSync('/usr/bin/qemu-io') && hasDriver;

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

async function qemu(driver: RbdDriver, volume: VolumeSpec, command: string): Promise<string> {
  const args = ['-f', 'raw', '-c', command, urlOf(driver, volume)];
  const { stdout } = await execa('qemu-io', args, { timeout: 120_000, reject: false, all: true });
  if (!/bytes at offset/.test(stdout) && !/verification failed/.test(stdout)) throw new Error(`qemu-io: ${stdout}`);
  return stdout;
}

function urlOf(driver: RbdDriver, volume: VolumeSpec): string {
  return `${driver.localPath(volume)}:conf=${ceph().conf}`;
}
