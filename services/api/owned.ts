import { errors } from '../../lib/errors.ts';
import type { AttachmentState } from '../../lib/models/attachment-state.ts';
import { attachmentsOf } from '../../lib/models/attachment.ts';
import { isId } from '../../lib/models/id.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import type { TransferState } from '../../lib/models/transfer-state.ts';
import { transfersOf } from '../../lib/models/transfer.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type Caller, hasRole } from './caller.ts';
import type { Context } from './call.ts';

/** Whether a caller may know of an object. */
export function mayKnow(caller: Caller, { projectId }: { projectId: string }): boolean {
  return hasRole(caller, 'admin') || caller.projectId === projectId;
}

/** Returns a volume that the caller may know of, by its id. Throws VolumeNotFound. */
export async function ownVolume(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  id: string,
): Promise<VolumeState> {
  const volume = isId(id) ? await volumesOf(cluster.store).find(id) : undefined;
  if (!volume || !mayKnow(caller, volume)) throw errors.volumeNotFound(id.slice(0, 100));
  return volume;
}

/** The same of a snapshot. Throws SnapshotNotFound. */
export async function ownSnapshot(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  id: string,
): Promise<SnapshotState> {
  const snapshot = isId(id) ? await snapshotsOf(cluster.store).find(id) : undefined;
  if (!snapshot || !mayKnow(caller, snapshot)) throw errors.snapshotNotFound(id.slice(0, 100));
  return snapshot;
}

/** The same of an attachment. Throws AttachmentNotFound. */
export async function ownAttachment(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  id: string,
): Promise<AttachmentState> {
  const attachment = await attachmentsOf(cluster.store).lookup(attachmentId(id));
  requireKnown(caller, attachment);
  return attachment;
}

/** Returns the id of an attachment. Throws AttachmentNotFound for a text that is none. */
export function attachmentId(text: string): string {
  if (!isId(text)) throw errors.attachmentNotFound(text.slice(0, 100));
  return text;
}

/** Throws AttachmentNotFound for an attachment that the caller may not know of. */
export function requireKnown(caller: Caller, attachment: AttachmentState): void {
  if (!mayKnow(caller, attachment)) throw errors.attachmentNotFound(attachment.id);
}

/** The same of a transfer. Throws TransferNotFound. */
export async function ownTransfer(
  { caller, cluster }: Pick<Context, 'caller' | 'cluster'>,
  id: string,
): Promise<TransferState> {
  const transfer = isId(id) ? await transfersOf(cluster.store).find(id) : undefined;
  if (!transfer || !mayKnow(caller, transfer)) throw errors.transferNotFound(id.slice(0, 100));
  return transfer;
}
