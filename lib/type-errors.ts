import { BlockstoreError } from './blockstore-error.ts';

const seeTypes = 'list the types: blockstore type list';

/** Errors of types of volumes. */
export const typeErrors = {
  typeNotMet: (volume: string, type: string, reason: string) =>
    new BlockstoreError(
      'TypeNotMet',
      'conflict',
      `the backend of volume ${volume} does not meet type ${type}: ${reason}`,
      `let the volume move to one that does: blockstore volume retype ${volume} ${type} --migrate`,
    ),
  typeNotFound: (type: string) =>
    new BlockstoreError('TypeNotFound', 'notFound', `volume type ${type} does not exist`, seeTypes),
  typeAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'TypeAmbiguous',
      'invalid',
      `${reference} matches more than one volume type: ${matches.join(', ')}`,
      'give the full id',
    ),
  typeNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'TypeNotNamed',
      'notFound',
      `no volume type is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  typeExists: (name: string) =>
    new BlockstoreError('TypeExists', 'conflict', `there is a volume type ${name} already`, seeTypes),
  typeInUse: (type: string, volumes: readonly string[]) =>
    new BlockstoreError(
      'TypeInUse',
      'conflict',
      `volume type ${type} is that of volume ${volumes.join(', ')}`,
      'delete these volumes, or make another type: blockstore type create',
    ),
};
