import { findGroup } from '../../lib/models/find-group.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { despiteWriteErrors } from '../write-errors.ts';

export interface DeleteGroupsOptions extends ChangeOptions {
  volumes?: boolean;
}

/** Deletes groups and prints the id of each deleted one, as deleteVolumes() does. */
export async function deleteGroups(
  context: Context,
  references: readonly string[],
  options: DeleteGroupsOptions,
): Promise<void> {
  await using session = await context.open();
  const { store, groups } = session;
  await despiteWriteErrors(() =>
    deleteEach(context, references, options, {
      what: 'group',
      find: async (reference) => (await findGroup(store, reference, { byBeginning: false })).id,
      delete: (id) => groups.delete(id, { ...sendOptions(options), volumes: options.volumes ?? false }),
    }),
  );
}
