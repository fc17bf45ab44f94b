import { deleteProject } from '../../lib/client/identity/projects.ts';
import { findProject } from '../../lib/models/project.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { despiteWriteErrors } from '../write-errors.ts';

/** Deletes projects and prints the id of each, as deleteVolumes() does. */
export async function deleteProjects(context: Context, references: readonly string[]): Promise<void> {
  await using session = await context.open();
  const { store } = session;
  await despiteWriteErrors(() =>
    deleteEach(
      context,
      references,
      {},
      {
        what: 'project',
        find: async (reference) => (await findProject(store, reference)).id,
        delete: (id) => deleteProject(store, id),
      },
    ),
  );
}
