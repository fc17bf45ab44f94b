import { parsePlace } from '../models/backend.ts';
import type { NewVolume } from '../models/volume.ts';
import type { VolumeState } from '../models/volume-state.ts';

/** Returns how a volume, which is `at` a place, differs from what a request for the same id asks for, or undefined. */
export function differences(
  volume: VolumeState,
  request: NewVolume,
  node: string | undefined,
  at: Pick<VolumeState, 'node' | 'backend'> = volume,
): string | undefined {
  const place = node === undefined ? undefined : parsePlace(node);
  const { isMultiattach, fromImage, fromSnapshot, fromVolume, fromBackup, encryptionKey: key } = volume;
  // Its type or its source can have given it what nobody asked for.
  const mayHaveMore = [volume.type, fromImage, fromSnapshot, fromVolume, fromBackup].some((given) => given !== '');
  const wanted = (has: boolean, asked = false) => asked || (mayHaveMore && has);
  const compared: readonly (readonly [string, unknown, unknown])[] = [
    ['size', volume.size, request.size],
    ['name', volume.name, request.name ?? ''],
    ['user', volume.userId, request.userId],
    ['project', volume.projectId, request.projectId],
    ['snapshot', volume.fromSnapshot, request.fromSnapshot ?? ''],
    ['type', volume.type, request.type ?? volume.type],
    ['image', volume.fromImage, request.fromImage ?? ''],
    ['backup', volume.fromBackup, request.fromBackup ?? ''],
    ['source volume', volume.fromVolume, request.fromVolume ?? ''],
    ['group', volume.group, request.group ?? volume.group],
    ['multiattach', isMultiattach, wanted(isMultiattach, request.isMultiattach)],
    ['encryption', key !== '', wanted(key !== '', request.isEncrypted)],
    ['encryption key', key, request.encryptionKey ?? key],
    ['read-only flag', volume.isReadOnly, request.isReadOnly ?? false],
    ['bootable flag', volume.isBootable, request.isBootable ?? volume.isBootable],
    ['description', volume.description, request.description ?? ''],
    ['metadata', inOneOrder(volume.metadata), inOneOrder(request.metadata ?? {})],
    ['node', at.node, place?.node ?? at.node],
    ['backend', at.backend, place?.backend ?? at.backend],
  ];
  const isDeleted = volume.task?.kind === 'delete' || volume.status === 'error_deleting';
  return firstDifference(compared) ?? (isDeleted ? beingDeleted : undefined);
}

function inOneOrder(metadata: Readonly<Record<string, string>>): string {
  const entries = Object.entries(metadata).toSorted(([one], [other]) => (one < other ? -1 : 1));
  return entries.map(([name, value]) => `${name}=${value}`).join(', ');
}

export const beingDeleted = 'it is being deleted';

/** Returns how a record differs from a request, as a message says it: of the first property whose values are not the same. */
export function firstDifference(compared: readonly (readonly [string, unknown, unknown])[]): string | undefined {
  const different = compared.find(([, has, requested]) => has !== requested);
  if (!different) return undefined;
  const [name, has, requested] = different;
  return `its ${name} is ${JSON.stringify(has)}, not ${JSON.stringify(requested)}`;
}
