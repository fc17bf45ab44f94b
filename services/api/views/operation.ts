import { z } from 'zod';
import type { Fault } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { type Caller, hasRole } from '../caller.ts';
import { time } from '../schemas.ts';
import { apiTime } from './time.ts';
import { apiStatus } from './volume.ts';

export const faultDocument = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    hint: z.string().nullable(),
    step: z.string().nullable(),
    time: time.nullable(),
  })
  .meta({ id: 'VolumeFault', description: 'What failed last, and what can be done about it' });

export function faultView({ code, message, hint, step, time: ms }: Fault): z.input<typeof faultDocument> {
  return { code, message, hint: hint ?? null, step: step ?? null, time: ms === undefined ? null : apiTime(ms) };
}

export const operationDocument = z
  .strictObject({
    volume_id: z.string(),
    name: z.string().nullable(),
    project_id: z.string(),
    status: z.string(),
    task: z.string().nullable().describe('What is under way'),
    progress: z.number().nullable().describe('Percent of a long step'),
    step: z.string().nullable().describe('The step that is being retried'),
    attempts: z.int().min(0).describe('How often it has failed'),
    node: z.string().nullable(),
    address: z.string().nullable().describe('Where its export is found'),
    requested_by: z.string().nullable(),
    started_at: time.nullable().describe('When the task began'),
    fault: faultDocument.nullable(),
  })
  .meta({ id: 'Operation', description: 'What a volume is doing' });

/** Where a volume is, is shown to administrators alone. `since`: when its task began, in milliseconds since the epoch. */
export function operationView(volume: VolumeState, caller: Caller, since?: number): z.input<typeof operationDocument> {
  const { id, name, projectId, task, progress, step, attempts, node, address, requestedBy, fault } = volume;
  return {
    volume_id: id,
    name: name || null,
    project_id: projectId,
    status: apiStatus(volume),
    task: task?.kind ?? null,
    progress: progress ?? null,
    step: step || null,
    attempts,
    node: hasRole(caller, 'admin') && node !== '' ? node : null,
    address: address || null,
    requested_by: requestedBy || null,
    started_at: task === undefined || since === undefined ? null : apiTime(since),
    fault: fault === undefined ? null : faultView(fault),
  };
}
