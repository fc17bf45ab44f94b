import { randomUUID } from 'node:crypto';
import { checkSize } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';
import { whoCalls } from '../who.ts';
import { showing } from './follow.ts';
import { volumeJson } from './present.ts';
import { type Waiting, sendingOf } from './waiting.ts';

export interface CreateOptions extends Waiting {
  name?: string;
  node?: string;
  user?: string;
  project: string;
  id?: string;
}

/** Prints the id. The id is made here, so that it is known whatever happens to the call. */
export async function createVolume(context: Context, size: unknown, options: CreateOptions): Promise<void> {
  checkSize(size);
  const { name, node, user = whoCalls().name, project, id = randomUUID() } = options;
  const wanted = {
    id,
    size,
    userId: user,
    projectId: project,
    ...(name === undefined ? {} : { name }),
    ...(node === undefined ? {} : { node }),
  };
  const { output, interrupts } = context;
  await using session = await context.open();
  const volume = await interrupts.during('creation', id, () =>
    showing(output, session.store, id, () => session.commands.create(wanted, sendingOf(options))),
  );
  if (output.json) await output.document(volumeJson(volume));
  else await output.line(volume.id);
}
