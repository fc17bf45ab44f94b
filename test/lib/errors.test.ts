import { glob } from 'node:fs/promises';
import test from 'ava';
import { errors } from '../../lib/errors.ts';

const lib = new URL('../../lib/', import.meta.url);

test('no part of the catalogue has an error under a name of another part', async (t) => {
  const all = new Map<string, unknown>(Object.entries(errors));
  let parts = 0;
  for await (const file of glob('*-errors.ts', { cwd: lib })) {
    const loaded: Record<string, Record<string, unknown>> = await import(new URL(file, lib).href);
    for (const [of, part] of Object.entries(loaded)) {
      if (!of.endsWith('Errors')) continue;
      parts += 1;
      for (const [name, error] of Object.entries(part)) t.is(all.get(name), error, `${name} of ${file}`);
    }
  }
  t.true(parts >= 25);
});
