import { BlockstoreError } from './blockstore-error.ts';

const seeTransfers = 'list the transfers: blockstore transfer list';

/** Errors of transfers of volumes between projects. */
export const transferErrors = {
  transferNotFound: (transfer: string) =>
    new BlockstoreError('TransferNotFound', 'notFound', `transfer ${transfer} does not exist`, seeTransfers),
  transferAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'TransferAmbiguous',
      'invalid',
      `${reference} matches more than one transfer: ${matches.join(', ')}`,
      'give the full id',
    ),
  transferNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'TransferNotNamed',
      'notFound',
      `no transfer is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  /** `transfer`: the one that offers the volume. */
  awaitsTransfer: (volume: string, transfer: string) =>
    new BlockstoreError(
      'WrongStatus',
      'conflict',
      `volume ${volume} is awaiting-transfer: transfer ${transfer} offers it to another project`,
      `end the transfer first: blockstore transfer delete ${transfer}`,
    ),
  /** For an unknown id, a wrong key and a used one alike. */
  transferRefused: (transfer: string) =>
    new BlockstoreError(
      'TransferRefused',
      'denied',
      `no transfer ${transfer} can be accepted with this key: the id or the key is wrong, or the transfer has ended`,
      'compare both with those that "blockstore transfer create" printed, or have a new transfer made',
    ),
  transferExists: (transfer: string) =>
    new BlockstoreError(
      'TransferExists',
      'conflict',
      `transfer ${transfer} exists, and differs from the one that is asked for`,
      'omit the id or the Idempotency-Key, or give another one',
    ),
  transferExpired: (transfer: string, volume: string) =>
    new BlockstoreError(
      'TransferExpired',
      'conflict',
      `transfer ${transfer} of volume ${volume} has expired`,
      `have a new one made: blockstore transfer create ${volume}`,
    ),
  transferToOwner: (transfer: string, project: string) =>
    new BlockstoreError(
      'TransferToOwner',
      'conflict',
      `transfer ${transfer} is an offer of project ${project}, which cannot accept it itself`,
      `accept it for another project (--project), or end it: blockstore transfer delete ${transfer}`,
    ),
  tooManySnapshots: (volume: string, most: number) =>
    new BlockstoreError(
      'TooManySnapshots',
      'conflict',
      `volume ${volume} has more than ${most} snapshots, and a transfer moves ${most} at most`,
      'delete some of them, or leave them where they are: --without-snapshots',
    ),
};
