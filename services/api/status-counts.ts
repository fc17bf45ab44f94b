import { z } from 'zod';
import { sourceIn } from '../../lib/models/restore-source.ts';
import { parseTask } from '../../lib/models/task.ts';
import { announcedIn, attachStatuses, volumeStatuses } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { apiStatus } from './views/volume.ts';

/** Volumes that are examined at most, the newest: the fields of 10,000 are about 20 ms of Redis, in portions of 1 ms. */
const maxExamined = 10_000;
const pageSize = 500;
/** Faulty volumes that are named. */
const maxFaulty = 50;

export interface StatusCounts {
  /** By the status that clients see. */
  counts: Record<string, number>;
  /** The newest volumes that have a fault. */
  faulty: string[];
  examined: number;
  total: number;
}

const rowSchema = z.tuple([
  z.enum(volumeStatuses),
  z.enum(attachStatuses),
  z.string().nullable(),
  z.string().nullable(),
  z.string().nullable(),
  z.string().nullable(),
  z.string().nullable(),
]);
const fields = ['status', 'attachStatus', 'task', 'fault', 'announced', 'attachments', 'restoreFrom'] as const;

/** Counts the newest volumes of an index, by creation time, by their status; those that this version cannot read are `unreadable`. */
export async function countStatuses(store: Store, index: string): Promise<StatusCounts> {
  const found: StatusCounts = { counts: {}, faulty: [], examined: 0, total: 0 };
  found.total = await store.read((redis) => redis.zcard(index));
  while (found.examined < maxExamined) {
    const [first, last] = [String(found.examined), String(found.examined + pageSize - 1)];
    const ids = await store.read((redis) => redis.zrange(index, first, last, 'REV'));
    const rows = await store.read(async (redis) => {
      const pipeline = redis.pipeline();
      for (const id of ids) pipeline.hmget(store.keys.volume(id), ...fields);
      return (await pipeline.exec()) ?? [];
    });
    ids.forEach((id, at) => {
      const { status, isFaulty } = described(rows[at]?.[1]);
      if (status === undefined) return;
      found.counts[status] = (found.counts[status] ?? 0) + 1;
      if (isFaulty && found.faulty.length < maxFaulty) found.faulty.push(id);
    });
    found.examined += ids.length;
    if (ids.length < pageSize) break;
  }
  return found;
}

/** `status` undefined: the record went between index and read. */
function described(row: unknown): { status: string | undefined; isFaulty: boolean } {
  if (Array.isArray(row) && row.every((value) => value === null)) return { status: undefined, isFaulty: false };
  try {
    const [status, attachStatus, taskText, fault, text, attachments, source] = rowSchema.parse(row);
    const task = taskText === null ? undefined : parseTask(taskText);
    const announced = announcedIn(text ?? '', attachments?.split(',') ?? []);
    const restoreFrom = sourceIn(source ?? '');
    return { status: apiStatus({ status, attachStatus, task, announced, restoreFrom }), isFaulty: fault !== null };
  } catch {
    return { status: 'unreadable', isFaulty: false };
  }
}
