import { followEvents, lastEvents } from '../../lib/client/event-reader.ts';
import type { ClusterEvent } from '../../lib/models/event.ts';
import { isId } from '../../lib/models/id.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { printableJson } from '../../lib/printable.ts';
import type { Context } from '../context.ts';
import { duration, isoTime } from '../format.ts';
import { type Column, Table } from '../table.ts';
import type { Session } from '../session.ts';

export interface EventsOptions {
  follow?: boolean;
  volume?: string;
  limit: number;
}

/** More are never kept. */
const most = 20_000;

const columns: readonly Column<ClusterEvent>[] = [
  { title: 'TIME', text: ({ time }) => isoTime(time) },
  { title: 'EVENT', text: ({ event }) => event, style: ({ fault }) => (fault ? 'red' : undefined) },
  { title: 'OBJECT', text: ({ volume, object }) => volume || object, maxWidth: 36 },
  { title: 'PROJECT', text: ({ projectId }) => projectId, maxWidth: 20 },
  { title: 'NODE', text: ({ node }) => node, maxWidth: 20 },
  { title: 'BY', text: ({ by }) => by, maxWidth: 32 },
  { title: 'TOOK', text: ({ durationMs }) => (durationMs === undefined ? '' : duration(durationMs)), right: true },
  { title: 'REASON', text: ({ fault }) => fault?.message ?? '' },
];

/** With --json one document a line, so that a follower can read each as it comes. */
export async function showEvents(context: Context, { follow = false, volume, limit }: EventsOptions): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const id = volume === undefined ? undefined : await idOf(session, volume);
  const { events, last } = await lastEvents(store, id === undefined ? limit : most);
  const table = new Table(output, columns);
  const show = async (shown: readonly ClusterEvent[]) => {
    const chosen = shown.filter((event) => id === undefined || event.volume === id);
    if (!output.json) return table.add(chosen);
    for (const event of chosen) await output.line(printableJson(eventJson(event)));
  };
  await show(events.filter((event) => id === undefined || event.volume === id).slice(-limit));
  if (!follow) {
    if (events.length === 0) output.note('no events');
    return;
  }
  const redis = await store.connection.another({ purpose: 'events' });
  for await (const event of followEvents(store, redis, last)) await show([event]);
}

/** A volume that is deleted is known by its id alone. Throws VolumeNotFound. */
async function idOf({ store }: Session, reference: string): Promise<string> {
  return isId(reference) ? reference : (await findVolume(store, reference)).id;
}

function eventJson({ time, durationMs, fault, ...rest }: ClusterEvent): object {
  const plain = Object.entries(rest).map(([name, value]) => [name, value === '' ? null : value]);
  return { ...Object.fromEntries(plain), time: isoTime(time), durationMs: durationMs ?? null, fault: fault ?? null };
}
