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

export function connectionTo(
  name: string,
  { user, secretUuid }: { user: string; secretUuid: string },
  { addresses }: Monitors,
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
