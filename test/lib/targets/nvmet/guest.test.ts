import { globSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { rolldown } from 'rolldown';
import { bundled } from '../../../support/bundle.ts';
import { type GuestOptions, runInGuest } from '../../../support/program-guest.ts';
import { missingForNvmet, modules, programs } from './requirements.ts';

/**
 * The kernel's NVMe target and initiator, in a guest that is node and host. It takes minutes. To run it: npm run test:all -- --part nvmet.
 * NVMET_CASES=all runs all, a regular expression the cases whose titles match.
 */

const chosen = process.env['NVMET_CASES'] ?? '';
const inGuest = chosen !== '' && (await missingForNvmet()) === undefined ? test.serial : test.serial.skip;
const limitMs = 30 * 60_000;

/** What the kernel says of a device that is in use is asked by perl. */
function perlModules(): Record<string, string> {
  return Object.fromEntries(globSync('/usr/lib/*/perl-base').map((directory) => [directory.slice(1), directory]));
}

async function runs(
  t: ExecutionContext,
  options: Pick<GuestOptions, 'files' | 'script' | 'arguments' | 'memoryMiB'>,
): Promise<void> {
  t.timeout(limitMs);
  const files = { ...perlModules(), ...options.files };
  const { output, status } = await runInGuest({ modules, programs, timeoutMs: limitMs, ...options, files });
  t.log(output.replaceAll(/^\[ *\d+\.\d+\] .*\n/gm, ''));
  t.is(status, 0, output);
}

/** Each connection has a device of its own there (multipath=N), as two hosts have. */
inGuest('the target nvmet and its connector on the kernel of a guest', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-nvmet-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const file = join(directory, 'cases.mjs');
  const build = await rolldown({ platform: 'node', input: join(import.meta.dirname, 'guest-cases.ts') });
  await build.write({ file, format: 'esm', codeSplitting: false });
  await build.close();
  await runs(t, {
    files: { 'cases.mjs': file },
    arguments: 'nvme_core.multipath=N',
    memoryMiB: 2048, // half of it is the root directory, which has the volumes
    script: `mount -t configfs none /sys/kernel/config; node /cases.mjs '${chosen === 'all' ? '' : chosen}'`,
  });
});

/** With the multipath of the kernel, as hosts have it by default. */
inGuest('a daemon and command lines with the target nvmet in a guest', async (t) => {
  const script = await readFile(join(import.meta.dirname, 'guest-commands.sh'), 'utf8');
  await runs(t, { files: { app: await bundled() }, script });
});
