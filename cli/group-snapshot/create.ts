import { randomUUID } from 'node:crypto';
import { asError } from '../../lib/errors.ts';
import { findGroup } from '../../lib/models/find-group.ts';
import { membersOf } from '../../lib/models/group-snapshot.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { groupSnapshotJson } from './present.ts';

export interface CreateGroupSnapshotOptions extends ChangeOptions {
  name?: string;
  description?: string;
  user?: string;
  project?: string;
  id?: string;
}

/** Prints the id. The id is generated here, so that an interrupted call still knows it. */
export async function createGroupSnapshot(
  context: Context,
  reference: string,
  options: CreateGroupSnapshotOptions,
): Promise<void> {
  const { name, description, user = currentUser().name, id = randomUUID() } = options;
  const { output } = context;
  await using session = await context.open();
  const { store, groupSnapshots } = session;
  const group = await findGroup(store, reference);
  const request = {
    id,
    userId: user,
    projectId: options.project ?? group.projectId,
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  };
  const taken = await groupSnapshots.create(group.id, request, sendOptions(options)).catch((thrown: unknown) => {
    // Repeated without the id, the command would take another one.
    if (unsureCodes.has(asError(thrown).code)) {
      output.warn(`the group snapshot may exist; to repeat the command: --id ${id}`);
    }
    throw thrown;
  });
  if (output.json) await output.document(groupSnapshotJson(taken, await membersOf(store, id)));
  else await output.line(taken.id);
}
