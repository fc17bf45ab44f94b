import { z } from 'zod';
import { isClosed, problemsIn, sizesOf } from '../../../lib/client/node-figures.ts';
import { freeSpaceOf } from '../../../lib/client/placement-reasons.ts';
import type { BackendState } from '../../../lib/models/backend.ts';
import type { NodeState } from '../../../lib/models/node.ts';
import { time } from '../schemas.ts';
import { apiTime } from './time.ts';

const bytes = z.number().min(0);

const backendDocument = z.strictObject({
  name: z.string(),
  driver: z.string(),
  target: z.string(),
  pool: z.string(),
  capabilities: z.array(z.string()),
  availability_zone: z.string(),
  total_bytes: bytes,
  free_bytes: bytes.describe('What new volumes may have'),
  allocated_bytes: bytes,
  accepting: z.boolean(),
  closed: z.boolean(),
  problem: z.string().nullable(),
});

export const nodeDocument = z
  .strictObject({
    name: z.string(),
    state: z.enum(['up', 'down', 'stopped', 'lost']),
    closed: z.boolean().describe('Whether it takes no further volumes'),
    availability_zone: z.string(),
    version: z.string(),
    volumes: z.int().min(0),
    under_way: z.int().min(0).describe('Volumes that have a task'),
    total_bytes: bytes,
    free_bytes: bytes,
    started_at: time.nullable(),
    last_seen_at: time.nullable(),
    problems: z.array(z.string()),
    backends: z.array(backendDocument),
  })
  .meta({ id: 'Node', description: 'A storage node' });

export function nodeView(node: NodeState): z.input<typeof nodeDocument> {
  const { id, state, availabilityZone, version, volumes, pending, startTime, reportTime, backends } = node;
  const { totalBytes, freeBytes } = sizesOf(node);
  return {
    name: id,
    state,
    closed: isClosed(node),
    availability_zone: availabilityZone,
    version,
    volumes,
    under_way: pending,
    total_bytes: totalBytes,
    free_bytes: freeBytes,
    started_at: startTime === undefined ? null : apiTime(startTime),
    last_seen_at: reportTime === undefined ? null : apiTime(reportTime),
    problems: problemsIn(node),
    backends: backends.map(backendView),
  };
}

function backendView(backend: BackendState): z.input<typeof backendDocument> {
  return {
    name: backend.name,
    driver: backend.driver,
    target: backend.target,
    pool: backend.pool,
    capabilities: [...backend.capabilities],
    availability_zone: backend.availabilityZone,
    total_bytes: backend.totalBytes,
    free_bytes: freeSpaceOf(backend),
    allocated_bytes: backend.allocatedBytes,
    accepting: backend.accepting,
    closed: backend.isClosed,
    problem: backend.problem || null,
  };
}
