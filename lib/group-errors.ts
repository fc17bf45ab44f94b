import { BlockstoreError } from './blockstore-error.ts';

const seeGroups = 'list the groups: blockstore group list';

const seeGroupTypes = 'list the group types: GET /v3/group_types';

function takeOut(volume: string, group: string): string {
  return `blockstore group update ${group} --remove ${volume}`;
}

/** Errors of groups of volumes. */
export const groupErrors = {
  groupNotFound: (group: string) =>
    new BlockstoreError('GroupNotFound', 'notFound', `group ${group} does not exist`, seeGroups),
  groupAmbiguous: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'GroupAmbiguous',
      'invalid',
      `${reference} matches more than one group: ${matches.join(', ')}`,
      'give the full id',
    ),
  groupNotNamed: (reference: string, matches: readonly string[]) =>
    new BlockstoreError(
      'GroupNotNamed',
      'notFound',
      `no group is named ${reference}; it is the beginning of ${matches.join(', ')}`,
      'give the full id or the exact name: what cannot be undone is not done by the beginning of an id',
    ),
  groupExists: (group: string, difference: string) =>
    new BlockstoreError(
      'GroupExists',
      'conflict',
      `group ${group} exists, and ${difference}`,
      'omit the id, or give another one',
    ),
  groupHasVolumes: (group: string, volumes: readonly string[]) =>
    new BlockstoreError(
      'GroupHasVolumes',
      'conflict',
      `group ${group} has volumes: ${volumes.join(', ')}`,
      `remove them from it: ${takeOut('VOLUME', group)}; to delete them with it: blockstore group delete ${group} --volumes`,
    ),
  tooManyInGroup: (group: string, limit: number) =>
    new BlockstoreError(
      'TooManyInGroup',
      'conflict',
      `group ${group} has ${limit} volumes, and cannot have more`,
      'remove a volume from it, or make another group',
    ),
  groupOnOtherBackend: (group: string, volume: string, places: { own: string; other: string }) =>
    new BlockstoreError(
      'GroupOnOtherBackend',
      'conflict',
      `the volumes of group ${group} are on ${places.own}, and volume ${volume} is on ${places.other}`,
      `move the volume there first: blockstore volume migrate ${volume} --to ${places.own}`,
    ),
  groupOfOtherProject: (group: string, volume: string) =>
    new BlockstoreError(
      'GroupOfOtherProject',
      'conflict',
      `group ${group} and volume ${volume} are of different projects`,
      'give a volume of the project of the group',
    ),
  groupTypeDiffers: (group: string, volume: string) =>
    new BlockstoreError(
      'GroupTypeDiffers',
      'conflict',
      `volume ${volume} has none of the types that the volumes of group ${group} can have`,
      `see the group: blockstore group show ${group}`,
    ),
  groupTypeNotFound: (type: string) =>
    new BlockstoreError('GroupTypeNotFound', 'notFound', `group type ${type} does not exist`, seeGroupTypes),
  groupTypeExists: (name: string) =>
    new BlockstoreError('GroupTypeExists', 'conflict', `there is a group type ${name} already`, seeGroupTypes),
  groupTypeInUse: (type: string, groups: readonly string[]) =>
    new BlockstoreError(
      'GroupTypeInUse',
      'conflict',
      `group type ${type} is that of group ${groups.join(', ')}`,
      'delete these groups first',
    ),
  volumeInGroup: (volume: string, group: string) =>
    new BlockstoreError(
      'VolumeInGroup',
      'conflict',
      `volume ${volume} is in group ${group}, and is not deleted alone`,
      `remove it from the group first: ${takeOut(volume, group)}; to delete the whole group: blockstore group delete ${group} --volumes`,
    ),
  volumeInOtherGroup: (volume: string, group: string) =>
    new BlockstoreError(
      'VolumeInGroup',
      'conflict',
      `volume ${volume} is in group ${group}`,
      `remove it from that group first: ${takeOut(volume, group)}`,
    ),
  volumeNotInGroup: (volume: string, group: string) =>
    new BlockstoreError(
      'VolumeNotInGroup',
      'conflict',
      `volume ${volume} is not in group ${group}`,
      `see the volumes of the group: blockstore group show ${group}`,
    ),
  migratedInGroup: (volume: string, group: string) =>
    new BlockstoreError(
      'VolumeInGroup',
      'conflict',
      `volume ${volume} is in group ${group}, whose volumes are on one backend: it does not migrate alone`,
      `remove it from the group first: ${takeOut(volume, group)}`,
    ),
  transferInGroup: (volume: string, group: string) =>
    new BlockstoreError(
      'VolumeInGroup',
      'conflict',
      `volume ${volume} is in group ${group}, whose volumes are of one project`,
      `remove it from the group first: ${takeOut(volume, group)}`,
    ),
};
