import { z } from 'zod';
import type { ClusterEvent } from '../../../lib/models/event.ts';
import { type Caller, hasRole } from '../caller.ts';
import { time } from '../schemas.ts';
import { faultDocument, faultView } from './operation.ts';
import { apiTime } from './time.ts';

const text = z.string().nullable();

export const eventDocument = z
  .strictObject({
    id: z.string(),
    time,
    event: z.string().describe('volume.<task>.start, .end or .error; otherwise what changed, such as type.create'),
    name: text,
    volume_id: text,
    object_id: text.describe('Of what is no volume'),
    snapshot_id: text,
    attachment_id: text,
    node: text,
    project_id: text,
    requested_by: text,
    duration_ms: z.number().nullable(),
    fault: faultDocument.nullable(),
  })
  .meta({ id: 'Event', description: 'Something that began, ended, or was changed' });

/** Where a volume is, is shown to administrators alone. */
export function eventView(event: ClusterEvent, caller: Caller): z.input<typeof eventDocument> {
  const { id, time: ms, name, volume, object, snapshot, attachment, node, projectId, by, durationMs, fault } = event;
  return {
    id,
    time: apiTime(ms),
    event: event.event,
    name: name || null,
    volume_id: volume || null,
    object_id: object || null,
    snapshot_id: snapshot || null,
    attachment_id: attachment || null,
    node: hasRole(caller, 'admin') && node !== '' ? node : null,
    project_id: projectId || null,
    requested_by: by || null,
    duration_ms: durationMs ?? null,
    fault: fault === undefined ? null : faultView(fault),
  };
}
