import { randomUUID } from 'node:crypto';
import { asError } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import { withProgress } from '../volume/follow.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { snapshotJson } from './present.ts';

export interface CreateSnapshotOptions extends ChangeOptions {
  name?: string;
  description?: string;
  meta?: Readonly<Record<string, string>>;
  user?: string;
  project?: string;
  id?: string;
  force?: boolean;
}

/** Prints the id. The id is generated here, so that an interrupted call still knows it. */
export async function createSnapshot(
  context: Context,
  reference: string,
  options: CreateSnapshotOptions,
): Promise<void> {
  const { name, description, meta, user = currentUser().name, id = randomUUID(), force = false } = options;
  const { output, interrupts } = context;
  await using session = await context.open();
  const volume = await findVolume(session.store, reference);
  const request = {
    id,
    userId: user,
    projectId: options.project ?? volume.projectId,
    force,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(meta === undefined ? {} : { metadata: meta }),
  };
  const snapshot = await interrupts
    .during('snapshot', volume.id, () =>
      withProgress(output, session.store, volume.id, () =>
        session.snapshots.create(volume.id, request, sendOptions(options)),
      ),
    )
    .catch((thrown: unknown) => {
      // Repeated without the id, the command would take another one.
      if (unsureCodes.has(asError(thrown).code)) {
        output.warn(`the snapshot may exist; to repeat the command: --id ${id}`);
      }
      throw thrown;
    });
  if (output.json) await output.document(snapshotJson(snapshot));
  else await output.line(snapshot.id);
}
