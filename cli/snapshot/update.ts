import type { SnapshotChanges } from '../../lib/client/describe-snapshot.ts';
import { errors } from '../../lib/errors.ts';
import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import { refuseSetAndUnset } from '../arguments.ts';
import type { Context } from '../context.ts';
import { snapshotJson } from './present.ts';

export interface UpdateSnapshotOptions {
  name?: string;
  description?: string;
  meta?: Readonly<Record<string, string>>;
  unsetMeta?: readonly string[];
}

/** Prints the id. Throws InvalidArgument where nothing is to be changed. */
export async function updateSnapshot(
  context: Context,
  reference: string,
  options: UpdateSnapshotOptions,
): Promise<void> {
  const { name, description, meta, unsetMeta } = options;
  const changes: SnapshotChanges = {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(meta === undefined ? {} : { metadata: meta }),
    ...(unsetMeta === undefined ? {} : { unsetMetadata: unsetMeta }),
  };
  if (Object.keys(changes).length === 0) throw errors.usage('nothing is to be changed', 'blockstore snapshot update');
  refuseSetAndUnset(meta, unsetMeta);
  const { output } = context;
  await using session = await context.open();
  const { id } = await findSnapshot(session.store, reference);
  const snapshot = await session.snapshots.update(id, changes);
  if (output.json) await output.document(snapshotJson(snapshot));
  else await output.line(snapshot.id);
}
