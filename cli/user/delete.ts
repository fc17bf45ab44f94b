import { deleteUser } from '../../lib/client/identity/users.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';

/** Deletes users and prints the id of each, as deleteVolumes() does. */
export function deleteUsers(context: Context, references: readonly string[]): Promise<void> {
  return deleteRecords(context, references, ({ store }) => ({
    what: 'user',
    find: async (reference) => (await findUser(store, reference)).id,
    delete: (id) => deleteUser(store, id),
  }));
}
