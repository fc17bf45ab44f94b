import { z } from 'zod';
import type { Monitors } from './monitors.ts';

/** With what a host connects to an image: the `data` of a connection of type `rbd`. */
export interface RbdConnection {
  /** Pool and image. */
  name: string;
  /** Addresses of the monitors, without brackets for IPv6. */
  hosts: string[];
  /** Their ports, in the same order. */
  ports: string[];
  auth_enabled: true;
  auth_username: string;
  secret_type: 'ceph';
  /** UUID of the libvirt secret of the host with the user's key; '' where the node has none to name. */
  secret_uuid: string;
}

export interface RbdUser {
  user: string;
  secretUuid: string;
}

export function connectionTo(
  name: string,
  { user, secretUuid }: RbdUser,
  { addresses }: Pick<Monitors, 'addresses'>,
): RbdConnection {
  return {
    name,
    hosts: addresses.map(({ host }) => host.replace(/^\[(.*)\]$/, '$1')),
    ports: addresses.map(({ port }) => port),
    auth_enabled: true,
    auth_username: user,
    secret_type: 'ceph',
    secret_uuid: secretUuid,
  };
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
export function endpointText(user: RbdUser, monitors: Monitors): string {
  const { hosts, ports, auth_username, secret_uuid } = connectionTo('', user, monitors);
  const protocol = monitors.protocol === 'v2' ? { protocol: monitors.protocol } : {};
  const endpoint: RbdEndpoint = { fsid: monitors.fsid, ...protocol, hosts, ports, auth_username, secret_uuid };
  return JSON.stringify(endpoint);
}

/** Returns undefined for any other text, as of a backend that has not reported. */
export function tryParseEndpoint(text: string): RbdEndpoint | undefined {
  try {
    const endpoint = endpointShape.parse(JSON.parse(text));
    return endpoint.hosts.length === endpoint.ports.length ? endpoint : undefined;
  } catch {
    return undefined;
  }
}
