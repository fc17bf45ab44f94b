import { usersOf } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import type { ListUsersOptions } from './commands.ts';
import { rowJson, userColumns } from './present.ts';

export async function listUsers(context: Context, { limit, marker }: ListUsersOptions): Promise<void> {
  checkMarker(marker);
  await using session = await context.open();
  await writeList(context.output, {
    records: usersOf(session.store),
    index: session.store.keys.users(),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'user',
    columns: userColumns,
    json: rowJson,
  });
}
