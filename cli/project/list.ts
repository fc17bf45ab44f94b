import { projectsOf } from '../../lib/models/project.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import type { ListProjectsOptions } from './commands.ts';
import { projectColumns, projectJson } from './present.ts';

export async function listProjects(context: Context, { limit, marker }: ListProjectsOptions): Promise<void> {
  checkMarker(marker);
  await using session = await context.open();
  await writeList(context.output, {
    records: projectsOf(session.store),
    index: session.store.keys.projects(),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'project',
    columns: projectColumns,
    json: projectJson,
  });
}
