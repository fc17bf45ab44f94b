import { deleteUser } from '../../lib/client/identity/users.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Deletes users and prints the id of each, as deleteVolumes() does. */
export async function deleteUsers(context: Context, references: readonly string[]): Promise<void> {
  await using session = await context.open();
  const { store } = session;
  await despiteWriteErrors(() =>
    deleteEach(
      context,
      references,
      {},
      {
        what: 'user',
        find: async (reference) => (await findUser(store, reference)).id,
        delete: (id) => deleteUser(store, id),
      },
    ),
  );
}
