import { BlockstoreError } from './blockstore-error.ts';

const seeTypes = 'list the types: blockstore type list';
const seeQosSpecs = 'list them: GET /v3/qos-specs';

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
  typeIsDefault: (type: string, projects: readonly string[]) =>
    new BlockstoreError(
      'TypeIsDefault',
      'conflict',
      `volume type ${type} is that of new volumes of project ${projects.join(', ')}`,
      'give these projects another default type first, or none: DELETE /v3/default-types/{project}',
    ),
  typeIsPublic: (type: string) =>
    new BlockstoreError(
      'TypeIsPublic',
      'invalid',
      `volume type ${type} is public: every project can use it`,
      'make it private first: blockstore type update --private',
    ),
  typeAccessExists: (type: string, project: string) =>
    new BlockstoreError(
      'TypeAccessExists',
      'conflict',
      `project ${project} can use volume type ${type} already`,
      'see the type: blockstore type show',
    ),
  typeAccessNotFound: (type: string, project: string) =>
    new BlockstoreError(
      'TypeAccessNotFound',
      'notFound',
      `project ${project} is not among those that can use volume type ${type}`,
      'see the type: blockstore type show',
    ),
  noAccessList: (type: string) =>
    new BlockstoreError(
      'TypeAccessNotFound',
      'notFound',
      `volume type ${type} is public and has no list of projects`,
      'make it private first: blockstore type update --private',
    ),
  encryptedType: (type: string) =>
    new BlockstoreError(
      'TypeEncrypted',
      'conflict',
      `volumes of type ${type} are encrypted already`,
      'change that: PUT /v3/types/{id}/encryption/{encryption}',
    ),
  notEncryptedType: (type: string) =>
    new BlockstoreError('TypeNotEncrypted', 'notFound', `volumes of type ${type} need not be encrypted`, seeTypes),
  encryptionDiffers: (volume: string, type: string) =>
    new BlockstoreError(
      'EncryptionDiffers',
      'conflict',
      `volume ${volume} is not encrypted, and those of type ${type} are`,
      'make a new volume of that type, and copy the data on a host that has both',
    ),
  noDefaultType: (project: string) =>
    new BlockstoreError(
      'NoDefaultType',
      'notFound',
      `project ${project} has no default volume type`,
      'give it one: PUT /v3/default-types/{project}, or one for all projects: default_volume_type',
    ),
  qosSpecNotFound: (spec: string) =>
    new BlockstoreError('QosSpecNotFound', 'notFound', `QoS spec ${spec} does not exist`, seeQosSpecs),
  qosSpecExists: (name: string) =>
    new BlockstoreError('QosSpecExists', 'conflict', `there is a QoS spec ${name} already`, seeQosSpecs),
  qosSpecInUse: (spec: string, types: readonly string[]) =>
    new BlockstoreError(
      'QosSpecInUse',
      'conflict',
      `QoS spec ${spec} is that of volume type ${types.join(', ')}`,
      'take it from these types first, or delete it with force',
    ),
  qosSpecOfType: (type: string, spec: string) =>
    new BlockstoreError(
      'TypeHasQosSpec',
      'conflict',
      `volume type ${type} has the QoS spec ${spec}`,
      'take that from it first: GET /v3/qos-specs/{id}/disassociate?vol_type_id=',
    ),
  /** `reason`: about a key. */
  qosNotEnforced: (reason: string) =>
    new BlockstoreError(
      'QosNotEnforced',
      'invalid',
      `the storage does not enforce that: ${reason}`,
      'give read_iops_sec and write_iops_sec, or read_bytes_sec and write_bytes_sec, both the same; or consumer front-end, for the attaching host',
    ),
  qosKeyNotFound: (spec: string, key: string) =>
    new BlockstoreError('QosKeyNotFound', 'invalid', `QoS spec ${spec} has no key ${key}`, 'show it for its keys'),
};
