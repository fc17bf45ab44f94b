import { tryParseAddress } from '../aoe/address.ts';
import { portalText, tryParseIscsiAddress } from '../iscsi/address.ts';
import { tryParseNvmeAddress, volumeNamespace } from '../nvme/address.ts';
import { rbdName, tryParseRbdAddress } from '../rbd/address.ts';
import { tryParseEndpoint } from '../rbd/connection.ts';
import { tryParseSheepdogAddress } from '../sheepdog/address.ts';
import type { Limits } from '../models/limits.ts';
import type { Chap, Protocol } from '../targets/target.ts';
import { throttleOf } from './libvirt-disk.ts';

/** How a host connects a volume, in the form that programs of the family exchange. JSON alone. */
export interface ConnectionInfo {
  driver_volume_type: 'aoe' | 'iscsi' | 'nvmeof' | 'rbd' | 'sheepdog';
  data: Readonly<
    Record<string, string | number | boolean | readonly string[] | Readonly<Record<string, string>> | null>
  >;
}

export interface ConnectedVolume {
  id: string;
  address: string;
  chap: Chap | undefined;
  limits: Limits;
  encryptionKey: string;
}

/**
 * Returns how a host that was admitted connects the volume; `endpoint` is that of its backend. Undefined for a volume that no host reaches,
 * or that has no address yet. With a secret where the target asks for one.
 */
export function connectionInfo(
  { id, address, chap, limits, encryptionKey }: ConnectedVolume,
  { mode, endpoint }: { mode: 'rw' | 'ro'; endpoint: string },
): ConnectionInfo | undefined {
  const throttle = throttleOf(limits).map(([name, limit]) => [name, String(limit)]);
  const specs = { ...Object.fromEntries(throttle), ...limits.ofHost };
  const qos = Object.keys(specs).length === 0 ? null : specs;
  const always = { volume_id: id, access_mode: mode, encrypted: encryptionKey !== '', qos_specs: qos };
  const aoe = tryParseAddress(address);
  if (aoe) {
    const data = { ...always, target_shelf: aoe.shelf, target_lun: aoe.slot, mac: endpoint || null };
    return { driver_volume_type: 'aoe', data };
  }
  const iscsi = tryParseIscsiAddress(address);
  if (iscsi) {
    const auth = chap ? { auth_method: 'CHAP', auth_username: chap.user, auth_password: chap.secret } : {};
    const { targetName, lun } = iscsi;
    const target = { target_portal: portalText(iscsi), target_iqn: targetName, target_lun: lun };
    return { driver_volume_type: 'iscsi', data: { ...always, target_discovered: false, ...target, ...auth } };
  }
  const nvme = tryParseNvmeAddress(address);
  if (nvme) {
    const { ip, port, nqn } = nvme;
    const target = { target_portal: ip, target_port: String(port), target_nqn: nqn, transport_type: 'tcp' };
    return {
      driver_volume_type: 'nvmeof',
      data: { ...always, ...target, host_nqn: null, ns_id: volumeNamespace, volume_nguid: id.replaceAll('-', '') },
    };
  }
  const rbd = tryParseRbdAddress(address);
  const ceph = tryParseEndpoint(endpoint);
  if (rbd && ceph) {
    const { fsid, hosts, ports, auth_username: user, secret_uuid: secret } = ceph;
    const auth = { auth_enabled: true, auth_username: user, secret_type: 'ceph', secret_uuid: secret || null };
    return {
      driver_volume_type: 'rbd',
      data: { ...always, name: rbdName(rbd), cluster_name: 'ceph', cluster_id: fsid, hosts, ports, ...auth },
    };
  }
  const sheepdog = tryParseSheepdogAddress(address);
  return sheepdog === undefined ? undefined : { driver_volume_type: 'sheepdog', data: { ...always, name: sheepdog } };
}

/** Returns by what hosts reach a volume with that address; undefined where it has none yet. */
export function protocolOfAddress(address: string): Protocol | undefined {
  if (tryParseAddress(address)) return 'aoe';
  if (tryParseIscsiAddress(address)) return 'iscsi';
  if (tryParseNvmeAddress(address)) return 'nvme';
  if (tryParseRbdAddress(address)) return 'rbd';
  return tryParseSheepdogAddress(address) === undefined ? undefined : 'sheepdog';
}
