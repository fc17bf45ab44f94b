import { groupsOf } from '../../lib/models/group.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import { groupColumns, groupListJson } from './present.ts';

export interface ListGroupsOptions {
  project?: string;
  limit?: number;
  marker?: string;
}

export async function listGroups(context: Context, { project, limit, marker }: ListGroupsOptions): Promise<void> {
  checkMarker(marker);
  await using session = await context.open();
  const { store } = session;
  await writeList(context.output, {
    records: groupsOf(store),
    index: project === undefined ? store.keys.groups() : store.keys.projectGroups(project),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'group',
    columns: groupColumns,
    json: groupListJson,
  });
}
