import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';

/** Returns why neither the real tgtd nor hosts with libiscsi can run here; undefined if they can. */
export async function missingForReal(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'tests with tgtd need root: run them with sudo';
  const files = ['/usr/sbin/tgtd', '/usr/bin/qemu-io', '/usr/bin/iscsi-inq', '/usr/bin/iscsi-test-cu'];
  const missing = files.filter((file) => !existsSync(file));
  const drivers = await Array.fromAsync(glob('/usr/lib/*/qemu/block-iscsi.so'));
  if (missing.length === 0 && drivers.length > 0) return undefined;
  return 'tests with tgtd need more packages: apt-get install tgt qemu-utils qemu-block-extra libiscsi-bin';
}
