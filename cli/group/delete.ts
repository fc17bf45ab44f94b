import { findGroup } from '../../lib/models/find-group.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';

export interface DeleteGroupsOptions extends ChangeOptions {
  volumes?: boolean;
}

/** Deletes groups and prints the id of each deleted one, as deleteVolumes() does. */
export function deleteGroups(
  context: Context,
  references: readonly string[],
  options: DeleteGroupsOptions,
): Promise<void> {
  return deleteRecords(
    context,
    references,
    ({ store, groups }) => ({
      what: 'group',
      find: async (reference) => (await findGroup(store, reference, { byBeginning: false })).id,
      delete: (id) => groups.delete(id, { ...sendOptions(options), volumes: options.volumes ?? false }),
    }),
    options,
  );
}
