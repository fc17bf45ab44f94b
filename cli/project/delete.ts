import { deleteProject } from '../../lib/client/identity/projects.ts';
import { findProject } from '../../lib/models/project.ts';
import type { Context } from '../context.ts';
import { deleteRecords } from '../delete-each.ts';

/** Deletes projects and prints the id of each, as deleteVolumes() does. */
export function deleteProjects(context: Context, references: readonly string[]): Promise<void> {
  return deleteRecords(context, references, ({ store }) => ({
    what: 'project',
    find: async (reference) => (await findProject(store, reference)).id,
    delete: (id) => deleteProject(store, id),
  }));
}
