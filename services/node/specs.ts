import { pooledAddress } from '../../lib/aoe/address.ts';
import type { Labels, VolumeSpec } from '../../lib/drivers/driver.ts';
import { writeChap } from '../../lib/models/chap.ts';
import type { SnapshotSpec } from '../../lib/drivers/snapshots.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { ExportSpec, FoundExport } from '../../lib/targets/target.ts';
import type { Backend } from './backends.ts';

/** A record as a driver sees it. */
export function volumeSpec({ id, size, name, userId, projectId, address: text, createTime }: VolumeState): VolumeSpec {
  const address = pooledAddress(text); // the others can be derived from the id
  const given = { user: userId, project: projectId, size: String(size), name, address, created: String(createTime) };
  const labels = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
  return { id, size, sizeBytes: sizeInBytes(size), labels };
}

/** A snapshot as a driver sees it: of the volume with the size that it had then. */
export function snapshotSpec(volume: VolumeState, snapshot: SnapshotState): SnapshotSpec {
  const { id, size } = snapshot;
  return { id, volume: volumeSpec({ ...volume, size }), labels: snapshotLabels(snapshot) };
}

export function snapshotLabels({ size, name, userId, projectId, createTime }: SnapshotState): Labels {
  const given = { user: userId, project: projectId, size: String(size), name, created: String(createTime) };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ''));
}

interface LabelledFields {
  size: string;
  userId: string;
  projectId: string;
  name?: string;
  createTime?: string;
  address: string;
}

/** Fields of a record that its labels keep; undefined where they do not say whose the volume is. */
export function fieldsIn(labels: Labels): LabelledFields | undefined {
  const { size, user, project, name, created = '', address = '' } = labels;
  if (size === undefined || user === undefined || project === undefined || !/^\d{1,4}$/.test(size)) return undefined;
  return {
    size,
    userId: user,
    projectId: project,
    address,
    ...(name === undefined ? {} : { name }),
    ...(/^\d{1,15}$/.test(created) ? { createTime: created } : {}),
  };
}

/** Whether the volume is exported at this moment. */
export function isExported({ attachStatus }: VolumeState, exportUnattached: boolean): boolean {
  return exportUnattached || attachStatus === 'attaching' || attachStatus === 'attached';
}

/** Fields of an attachment as its running export shows them, where Redis has lost them: who the instance is, is not known. */
export function attachmentOf({ readOnly, hosts, chap }: FoundExport): Record<string, string> {
  return {
    instanceId: 'unknown',
    attachmentRestored: 'true',
    ...(readOnly ? { attachMode: 'ro' } : {}),
    ...(hosts.length === 0 ? {} : { attachHosts: hosts.join(',') }),
    ...(chap === undefined ? {} : { chap: writeChap(chap) }),
  };
}

/** A record as a target sees it: with the rights of its attachment. Throws Internal for a volume without an address. */
export function exportSpec(volume: VolumeState, { driver, target }: Backend): ExportSpec {
  const { id, attachStatus, attachMode, attachHosts, chap } = volume;
  const address = target.addressOf?.(id) ?? volume.address;
  if (address === '' && target.addressing !== 'none') throw new Error(`volume ${id} has no address`);
  const isAttached = attachStatus === 'attaching' || attachStatus === 'attached';
  return {
    id,
    path: driver.localPath(volumeSpec(volume)),
    address,
    readOnly: isAttached && attachMode === 'ro',
    hosts: isAttached ? attachHosts : [],
    ...(isAttached && chap ? { chap } : {}),
  };
}
