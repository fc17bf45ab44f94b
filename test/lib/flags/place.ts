import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type FlagSources, loadFlags } from '../../../lib/flags/load.ts';

export async function fileWith(
  t: { teardown(clean: () => Promise<void>): void },
  content: string | Uint8Array,
): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-flags-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'blockstore.conf');
  await writeFile(file, content);
  return file;
}

/** The problems of these sources, one line each, with `FILE` for the path. */
export function problemsOf(t: ExecutionContext, sources: FlagSources): string[] {
  const error = t.throws(() => loadFlags(sources), { code: 'InvalidFlags' });
  const text = error?.message ?? '';
  return (sources.file === undefined ? text : text.replaceAll(sources.file, 'FILE')).split('\n');
}
