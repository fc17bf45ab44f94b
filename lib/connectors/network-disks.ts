import { errors } from '../errors.ts';
import { rbdName, tryParseRbdAddress } from '../rbd/address.ts';
import { tryParseEndpoint } from '../rbd/connection.ts';
import { tryParseSheepdogAddress, tryParseSheepdogEndpoint } from '../sheepdog/address.ts';
import type { NetworkDisks } from './connector.ts';

/** Images of Ceph. */
export const rbdDisks: NetworkDisks = {
  nameOf: (address) => {
    const found = tryParseRbdAddress(address);
    return found === undefined ? '' : rbdName(found);
  },
  sourceOf: (volume, address, text) => {
    const endpoint = tryParseEndpoint(text);
    if (endpoint === undefined) throw unknownEndpoint(volume, 'the monitors of Ceph');
    const { hosts, ports, auth_username: user, secret_uuid: secretUuid } = endpoint;
    if (secretUuid === '') {
      throw errors.connectorFailed(
        volume,
        'its node names no libvirt secret for its guests',
        `define a secret with the key of client.${user} on this host, and set rbd_secret_uuid of the node to its UUID`,
      );
    }
    return {
      protocol: 'rbd',
      name: rbdDisks.nameOf(address),
      hosts: hosts.map((name, index) => ({ name, port: ports[index] ?? '' })),
      auth: { user, secretUuid },
    };
  },
};

/** Images of Sheepdog. */
export const sheepdogDisks: NetworkDisks = {
  nameOf: (address) => tryParseSheepdogAddress(address) ?? '',
  sourceOf: (volume, address, text) => {
    const endpoint = tryParseSheepdogEndpoint(text);
    if (endpoint === undefined) throw unknownEndpoint(volume, 'the daemon of Sheepdog');
    const { host, port } = endpoint;
    return { protocol: 'sheepdog', name: sheepdogDisks.nameOf(address), hosts: [{ name: host, port }] };
  },
};

export function unknownEndpoint(volume: string, what: string): Error {
  const hint = 'wait for the next report of its node ("blockstore node list"), and run the same version there';
  return errors.connectorFailed(volume, `its node has not reported ${what}`, hint);
}
