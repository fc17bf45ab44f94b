import { errors } from '../../lib/errors.ts';
import { lookupNode } from '../../lib/models/node.ts';
import type { Unreadable } from '../../lib/models/records.ts';
import { type VolumeState, isVolumeStatus, volumeStatuses } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { printableJson } from '../../lib/printable.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import type { Output } from '../output.ts';
import { Table } from '../table.ts';
import { type HostedVolume, withHosts } from './host.ts';
import { volumeColumns, volumeJson } from './present.ts';

export interface ListOptions {
  node?: string;
  project?: string;
  status?: string;
  limit?: number;
  marker?: string;
}

const pageSize = 500;

/** Reads page by page: memory use does not depend on the length of the list. */
export async function listVolumes(context: Context, options: ListOptions): Promise<void> {
  const { node, status, marker } = options;
  if (status !== undefined && !isVolumeStatus(status)) {
    throw errors.invalidArgument('status', status, `one of ${volumeStatuses.join(', ')}`);
  }
  if (marker !== undefined && !/^\d+:[0-9a-f-]{36}$/.test(marker)) {
    throw errors.invalidArgument('marker', marker, 'the marker of an earlier list');
  }
  await using session = await context.open();
  if (node !== undefined) await lookupNode(session.store, node);
  const pages = limited(matching(session.store, options), options.limit ?? Infinity);
  await (context.output.json ? writeJson(context.output, pages) : writeTable(context.output, pages));
}

/** A part of the list; `next` is the marker of the next part, if there is one. */
interface Part {
  volumes: HostedVolume[];
  /** Records that this version cannot read; they do not count for the limit. */
  unreadable: Unreadable[];
  next?: string;
}

async function* matching(store: Store, { node, project, status, marker }: ListOptions): AsyncGenerator<Part> {
  const records = volumesOf(store);
  const index =
    node !== undefined
      ? store.keys.nodeVolumes(node)
      : project !== undefined
        ? store.keys.projectVolumes(project)
        : store.keys.volumes();
  let after = marker?.replace(':', ' ');
  do {
    const page = await records.page(index, { limit: pageSize, ...(after === undefined ? {} : { marker: after }) });
    const volumes = page.states.filter(
      (volume) => (project ?? volume.projectId) === volume.projectId && (status ?? volume.status) === volume.status,
    );
    yield { volumes: await withHosts(store, volumes), unreadable: status === undefined ? page.unreadable : [] };
    after = page.next;
  } while (after !== undefined);
}

async function* limited(pages: AsyncGenerator<Part>, limit: number): AsyncGenerator<Part> {
  let left = limit;
  let last: VolumeState | undefined;
  for await (const { volumes, unreadable } of pages) {
    const taken = volumes.slice(0, left);
    left -= taken.length;
    last = taken.at(-1) ?? last;
    const hasMore = taken.length < volumes.length;
    yield { volumes: taken, unreadable, ...(hasMore && last ? { next: `${last.createTime}:${last.id}` } : {}) };
    if (hasMore) return;
  }
}

async function writeTable(output: Output, parts: AsyncGenerator<Part>): Promise<void> {
  const table = new Table(output, volumeColumns);
  let count = 0;
  for await (const { volumes, unreadable, next } of parts) {
    count += volumes.length + unreadable.length;
    await table.add(volumes);
    for (const { id, reason } of unreadable) output.warn(`volume ${id} is unreadable: its record ${reason}`);
    if (next !== undefined) output.note(`more volumes: --marker ${next}`);
  }
  if (count === 0) output.note('no volumes');
}

/** Writes one document, {volumes: […], next: marker or null}, with one line a volume. */
async function writeJson(output: Output, parts: AsyncGenerator<Part>): Promise<void> {
  let marker: string | undefined;
  let separator = '\n';
  await output.write('{"volumes": [');
  for await (const { volumes, unreadable, next } of parts) {
    const rows = [
      ...volumes.map(volumeJson),
      ...unreadable.map(({ id, reason }) => ({ id, status: 'unreadable', reason })),
    ];
    if (rows.length > 0) {
      await output.write(separator + rows.map((row) => printableJson(row)).join(',\n'));
      separator = ',\n';
    }
    marker = next;
  }
  await output.line(`\n], "next": ${JSON.stringify(marker ?? null)}}`);
}
