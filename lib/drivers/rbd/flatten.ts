import type { Readable } from 'node:stream';
import { errors } from '../../errors.ts';
import type { CopyOptions } from '../snapshots.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { imageInfo } from './images.ts';

/** Copies what an image has of others into it, so that its data depends on none. Throws NoSpace, RbdFailed. */
export async function flatten(commands: RbdCommands, name: string, options: CopyOptions): Promise<void> {
  const { signal, progress } = options;
  signal?.throwIfAborted();
  const child = commands.start(['flatten', name]);
  const kill = () => child.kill();
  signal?.addEventListener('abort', kill, { once: true });
  for (const stream of [child.stdout, child.stderr]) reportProgress(stream, progress);
  child.reports.resume();
  await child.ended;
  signal?.removeEventListener('abort', kill);
  signal?.throwIfAborted();
  if ((await imageInfo(commands, name))?.parent === undefined) return;
  // It failed: once more, for the reason.
  const answer = await commands.rbd(['flatten', '--no-progress', name], { signal, isLong: true });
  if (answer.failure !== undefined) throw errors.rbdFailed(`rbd flatten ${name}`, answer.reason);
}

/** rbd prints "Image flatten: 5% complete..." each time the number changes. */
function reportProgress(stream: Readable, progress: CopyOptions['progress']): void {
  stream.setEncoding('utf8').on('data', (text: string) => {
    const last = [...text.matchAll(/(\d+)% complete/g)].at(-1)?.[1];
    if (last !== undefined) progress?.(Number(last));
  });
}
