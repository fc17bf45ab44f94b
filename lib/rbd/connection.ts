import { z } from 'zod';
import type { Monitors } from './monitors.ts';

export interface RbdUser {
  user: string;
  secretUuid: string;
}

const endpointShape = z.object({
  fsid: z.uuid(),
  /** Absent: 1. Nodes and hosts of earlier versions do not know it. */
  protocol: z.literal('v2').optional(),
  hosts: z.array(z.string().regex(/^[A-Za-z0-9.:_-]+$/)).min(1),
  ports: z.array(z.string().regex(/^\d{1,5}$/)),
  auth_username: z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/),
  secret_uuid: z.union([z.uuid(), z.literal('')]),
});

/** What the connections to all images of a backend have in common, and the identity of their cluster. */
export type RbdEndpoint = z.infer<typeof endpointShape>;

/** Returns the endpoint of a backend on Ceph, as its record has it. */
export function endpointText({ user, secretUuid }: RbdUser, monitors: Monitors): string {
  const { fsid, addresses, protocol } = monitors;
  const endpoint: RbdEndpoint = {
    fsid,
    ...(protocol === 'v2' ? { protocol } : {}),
    hosts: addresses.map(({ host }) => host.replace(/^\[(.*)\]$/, '$1')),
    ports: addresses.map(({ port }) => port),
    auth_username: user,
    secret_uuid: secretUuid,
  };
  return JSON.stringify(endpoint);
}

/** Returns undefined for any other text, as of a backend that has not reported. */
export function tryParseEndpoint(text: string): RbdEndpoint | undefined {
  if (text === '') return undefined;
  try {
    const endpoint = endpointShape.parse(JSON.parse(text));
    return endpoint.hosts.length === endpoint.ports.length ? endpoint : undefined;
  } catch {
    return undefined;
  }
}
