import assert from 'node:assert/strict';
import { type Configfs, ConfigfsFailure } from '../../../lib/targets/configfs.ts';

const changes = new Set([
  'write',
  'create',
  'link',
  'unlink',
  'remove',
  'hide',
  'removeWithSessions',
  'writeEndingSessions',
  'unlinkEndingSessions',
]);

/** A configfs, with a call before each change. */
function watched(configfs: Configfs, before: (name: string, path: string) => void): Configfs {
  return new Proxy(configfs, {
    get: (original, name) => {
      const method: unknown = Reflect.get(original, name);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]): unknown => {
        if (changes.has(String(name))) before(String(name), String(args[0]));
        return Reflect.apply(method, original, args);
      };
    },
  });
}

/** Returns the changes that the work makes: what and where. */
export async function changesOf(configfs: Configfs, work: (configfs: Configfs) => Promise<void>): Promise<string[]> {
  const names: string[] = [];
  await work(watched(configfs, (name, path) => names.push(`${name} ${path}`)));
  return names;
}

/** From that change on nothing is done, as by a daemon that was killed. */
export async function crashAt(
  point: number,
  configfs: Configfs,
  work: (configfs: Configfs) => Promise<void>,
): Promise<void> {
  let done = 0;
  const crashing = watched(configfs, (_, path) => {
    done += 1;
    if (done > point) throw new ConfigfsFailure(path, 'crashed');
  });
  await assert.rejects(work(crashing));
}
