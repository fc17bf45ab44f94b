import { errors } from '../lib/errors.ts';
import type { Records, Unreadable } from '../lib/models/records.ts';
import { printableJson } from '../lib/printable.ts';
import type { Output } from './output.ts';
import { type Column, Table } from './table.ts';

const pageSize = 500;

/** Records of a list, as they are shown. */
interface Listed {
  id: string;
  createTime: number;
}

/** A part of the list; `next` is the marker of the next part, if there is one. */
export interface Part<Row> {
  rows: Row[];
  /** Records that this version cannot read; they do not count for the limit. */
  unreadable: Unreadable[];
  next?: string;
}

export interface ListRequest<State extends { id: string }, Row extends Listed> extends Shown<Row> {
  records: Records<State>;
  /** By creation time. */
  index: string;
  limit?: number | undefined;
  /** Of an earlier list. */
  marker?: string | undefined;
  /** Returns the rows of those that are asked for. */
  rowsOf: (states: readonly State[]) => Promise<Row[]> | Row[];
  /** Whether unreadable records may be asked for. */
  showsUnreadable: boolean;
}

/** How rows are shown. */
export interface Shown<Row> {
  /** What they are, in the singular. */
  noun:
    | 'volume'
    | 'attachment'
    | 'snapshot'
    | 'image'
    | 'transfer'
    | 'type'
    | 'quota'
    | 'group'
    | 'group_snapshot'
    | 'user'
    | 'project';
  columns: readonly Column<Row>[];
  json: (row: Row) => object;
}

/** Throws InvalidArgument. */
export function checkMarker(marker: string | undefined): void {
  if (marker !== undefined && !/^\d+:[0-9a-f-]{32,36}$/.test(marker)) {
    throw errors.invalidArgument('marker', marker, 'the marker of an earlier list');
  }
}

/** Reads page by page: memory use does not depend on the length of the list. */
export async function writeList<State extends { id: string }, Row extends Listed>(
  output: Output,
  request: ListRequest<State, Row>,
): Promise<void> {
  await writeParts(output, request, limited(pagesOf(request), request.limit ?? Infinity));
}

export async function writeParts<Row>(
  output: Output,
  shown: Shown<Row>,
  parts: AsyncGenerator<Part<Row>>,
): Promise<void> {
  await (output.json ? writeJson(output, shown, parts) : writeTable(output, shown, parts));
}

async function* pagesOf<State extends { id: string }, Row extends Listed>({
  records,
  index,
  marker,
  rowsOf,
  showsUnreadable,
}: ListRequest<State, Row>): AsyncGenerator<Part<Row>> {
  let after = marker?.replace(':', ' ');
  do {
    const page = await records.page(index, { limit: pageSize, ...(after === undefined ? {} : { marker: after }) });
    yield { rows: await rowsOf(page.states), unreadable: showsUnreadable ? page.unreadable : [] };
    after = page.next;
  } while (after !== undefined);
}

async function* limited<Row extends Listed>(
  pages: AsyncGenerator<Part<Row>>,
  limit: number,
): AsyncGenerator<Part<Row>> {
  let left = limit;
  let last: Row | undefined;
  for await (const { rows, unreadable } of pages) {
    const taken = rows.slice(0, left);
    left -= taken.length;
    last = taken.at(-1) ?? last;
    const hasMore = taken.length < rows.length;
    yield { rows: taken, unreadable, ...(hasMore && last ? { next: `${last.createTime}:${last.id}` } : {}) };
    if (hasMore) return;
  }
}

async function writeTable<Row>(
  output: Output,
  { noun, columns }: Shown<Row>,
  parts: AsyncGenerator<Part<Row>>,
): Promise<void> {
  const table = new Table(output, columns);
  let count = 0;
  for await (const { rows, unreadable, next } of parts) {
    count += rows.length + unreadable.length;
    await table.add(rows);
    for (const { id, reason } of unreadable) output.warn(`${wordsOf(noun)} ${id} is unreadable: its record ${reason}`);
    if (next !== undefined) output.note(`more ${wordsOf(noun)}s: --marker ${next}`);
  }
  if (count === 0) output.note(`no ${wordsOf(noun)}s`);
}

/** As messages have it; JSON has it as one word. */
function wordsOf(noun: Shown<never>['noun']): string {
  return noun.replace('_', ' ');
}

/** Writes one document, {volumes: […], next: marker or null}, with one line a record. */
async function writeJson<Row>(
  output: Output,
  { noun, json }: Shown<Row>,
  parts: AsyncGenerator<Part<Row>>,
): Promise<void> {
  let marker: string | undefined;
  let separator = '\n';
  await output.write(`{"${noun}s": [`);
  for await (const { rows, unreadable, next } of parts) {
    const all = [...rows.map(json), ...unreadable.map(({ id, reason }) => ({ id, status: 'unreadable', reason }))];
    if (all.length > 0) {
      await output.write(separator + all.map((row) => printableJson(row)).join(',\n'));
      separator = ',\n';
    }
    marker = next;
  }
  await output.line(`\n], "next": ${JSON.stringify(marker ?? null)}}`);
}
