import { typesOf } from '../../lib/models/type.ts';
import type { Context } from '../context.ts';
import { checkMarker, writeList } from '../record-list.ts';
import type { ListTypesOptions } from './commands.ts';
import { typeColumns, typeJson } from './present.ts';

export async function listTypes(context: Context, { limit, marker }: ListTypesOptions): Promise<void> {
  checkMarker(marker);
  await using session = await context.open();
  await writeList(context.output, {
    records: typesOf(session.store),
    index: session.store.keys.types(),
    limit,
    marker,
    rowsOf: (states) => [...states],
    showsUnreadable: true,
    noun: 'type',
    columns: typeColumns,
    json: typeJson,
  });
}
