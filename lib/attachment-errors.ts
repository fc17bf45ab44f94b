import { BlockstoreError } from './blockstore-error.ts';

/** How a volume leaves a status in which nothing is under way for it. */
const waysOut: Readonly<Record<string, (volume: string) => string>> = {
  error: (volume) =>
    `see why: blockstore volume show ${volume}; restore its storage, or delete it: blockstore volume delete ${volume}`,
  error_deleting: (volume) => `delete it again: blockstore volume delete ${volume}`,
  error_detaching: (volume) => `detach it again: blockstore volume detach ${volume}`,
  error_restoring: (volume) =>
    `give it other data: blockstore backup restore, volume revert or volume reimage; or delete it: blockstore volume delete ${volume}`,
};

const seeAttachments = 'list the attachments: blockstore attachment list';

/** Errors of attachments; part of the catalogue in errors.ts. */
export const attachmentErrors = {
  attachmentNotFound: (attachment: string) =>
    new BlockstoreError('AttachmentNotFound', 'notFound', `attachment ${attachment} does not exist`, seeAttachments),
  attachmentExists: (attachment: string, difference: string) =>
    new BlockstoreError(
      'AttachmentExists',
      'conflict',
      `attachment ${attachment} exists, and ${difference}`,
      'omit the id, or give another one',
    ),
  attachmentLost: (volume: string, attachment: string) =>
    new BlockstoreError(
      'AttachmentLost',
      'failed',
      `the attachment ${attachment} of volume ${volume} has no record: it is not known who has the volume by it`,
      'make the attachments of the volume consistent: blockstore audit --repair',
    ),
  attachmentInterrupted: (operation: string, volume: string) =>
    new BlockstoreError(
      'Interrupted',
      'unavailable',
      `stopped waiting for the ${operation} of volume ${volume}`,
      `once begun, it continues in the background; to wait: blockstore volume wait ${volume}`,
    ),
  volumeAnnounced: (volume: string, what: 'attach' | 'detach') =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is ${what}ing: a client has begun to ${what} it`,
      `wait until it has ended; if that client is gone: os-reset_status, or os-${what === 'attach' ? 'unreserve' : 'roll_detaching'}`,
    ),
  attachmentInStatus: (attachment: string, status: string, required: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `attachment ${attachment} is ${status}, not ${required}`,
      `see its status: blockstore attachment show ${attachment}`,
    ),
  /** Of a volume that nothing is under way for: it would be waited for in vain. */
  statusRefused: (volume: string, status: string, required: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is ${status}; the operation requires ${required}`,
      waysOut[status]?.(volume) ?? `see its state: blockstore volume show ${volume}`,
    ),
  volumeReserved: (volume: string, instance: string, attachment: string) =>
    new BlockstoreError(
      'VolumeReserved',
      'conflict',
      `volume ${volume} is reserved for ${instance}`,
      `if that is not to have it: blockstore attachment delete ${attachment}`,
    ),
  attachmentInUse: (volume: string, attachment: string, user: string) =>
    new BlockstoreError(
      'AttachmentInUse',
      'conflict',
      `attachment ${attachment} cannot be ended: ${user} uses volume ${volume}`,
      'detach the volume from it by the service that runs it, or have an administrator end the attachment',
    ),
  severalAttachments: (volume: string, attachments: readonly string[]) =>
    new BlockstoreError(
      'SeveralAttachments',
      'invalid',
      `volume ${volume} is attached to several: ${attachments.join(', ')}`,
      `say to which it is not to be attached any more: blockstore volume detach ${volume} --instance <instance>`,
    ),
  notAttachedTo: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeNotAttached',
      'conflict',
      `volume ${volume} is not attached to ${instance}`,
      `see to what it is attached: blockstore volume show ${volume}`,
    ),
  attachedInOtherMode: (volume: string, instance: string, mode: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance} with mode ${mode}, and its export has one mode for all hosts`,
      `attach it with --mode ${mode}, or detach it first`,
    ),
  tooManyHosts: (volume: string, count: number, limit: number) =>
    new BlockstoreError(
      'TooManyAttachments',
      'conflict',
      `the attachments of volume ${volume} would have ${count} Ethernet addresses, and an AoE export admits ${limit}`,
      'give fewer addresses of each host (--mac), or detach it from a host first',
    ),
  notConnectable: (volume: string) =>
    new BlockstoreError(
      'ConnectorFailed',
      'failed',
      `volume ${volume} has no address at which a host could connect it`,
      'its backend has volume_target = none, or has not reported yet: blockstore node show',
    ),
  tooManyAttachments: (volume: string, limit: number) =>
    new BlockstoreError(
      'TooManyAttachments',
      'conflict',
      `volume ${volume} has ${limit} attachments, which is the limit`,
      `detach it from a host first: blockstore attachment list --volume ${volume}`,
    ),
};
