import { errors } from '../errors.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { checkMetadata, imageMetadataField, metadataField, metadataFields, refuseTooMany } from '../models/metadata.ts';
import { editOf, withoutEmpty } from '../models/volume-edit.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';
import { heldError } from './held.ts';

/** What is noted of a volume; what is not given stays as it is. */
export interface VolumeChanges {
  /** '': none. */
  name?: string;
  /** '': none. */
  description?: string;
  /** Keys and values to be set. */
  metadata?: Readonly<Record<string, string>>;
  unsetMetadata?: readonly string[];
  /** The same of its image. */
  imageMetadata?: Readonly<Record<string, string>>;
  unsetImageMetadata?: readonly string[];
  isBootable?: boolean;
  isReadOnly?: boolean;
  isMultiattach?: boolean;
  /** A host has formatted an encrypted one. */
  isFormatted?: true;
  deleteOnTermination?: boolean;
}

/** Throws InvalidArgument. */
export function checkChanges({
  name,
  description,
  metadata = {},
  imageMetadata = {},
}: Pick<VolumeChanges, 'name' | 'description' | 'metadata' | 'imageMetadata'>): void {
  if (name !== undefined && name !== '') checkVolumeName(name);
  if (description !== undefined && description !== '') checkText('description', description);
  for (const notes of [metadata, imageMetadata]) {
    checkMetadata(notes);
    refuseTooMany(Object.keys(notes));
  }
}

/** Changes the fields that only the record has. Returns the record then. Throws VolumeNotFound, VolumeAttached, InvalidArgument. */
export async function describe(store: Store, id: string, changes: VolumeChanges): Promise<VolumeState> {
  const { description } = changes;
  const { metadata = {}, unsetMetadata = [], imageMetadata = {}, unsetImageMetadata = [] } = changes;
  const { isBootable, isReadOnly, isMultiattach, deleteOnTermination } = changes;
  const given = {
    ...(description === undefined ? {} : { description }),
    ...flag('bootable', isBootable),
    ...flag('readOnly', isReadOnly),
    ...flag('multiattach', isMultiattach),
    ...flag('formatted', changes.isFormatted),
    ...flag('deleteOnTermination', deleteOnTermination),
  };
  const set = {
    ...withoutEmpty(given).set,
    ...metadataFields(metadata),
    ...metadataFields(imageMetadata, imageMetadataField),
  };
  const unset = [
    ...withoutEmpty(given).unset,
    ...unsetMetadata.filter((key) => !Object.hasOwn(metadata, key)).map(metadataField),
    ...unsetImageMetadata.filter((key) => !Object.hasOwn(imageMetadata, key)).map(imageMetadataField),
  ];
  for (let change = 0; change < maxChanges; change += 1) {
    const volume = await volumesOf(store).lookup(id);
    const { attachStatus } = volume;
    if (Object.keys(set).length + unset.length === 0) return volume;
    const isRefused =
      (isReadOnly && !volume.isReadOnly) || (isMultiattach !== undefined && isMultiattach !== volume.isMultiattach);
    if (isRefused && (attachStatus !== 'detached' || volume.attachments.length > 0)) {
      throw await heldError(store, volume);
    }
    if (isMultiattach && volume.encryptionKey !== '') {
      throw errors.encryptedVolume(id, 'several hosts would format it at once');
    }
    if (isMultiattach) await requireMultiattach(store, volume);
    refuseTooMany(keysAfter(volume.metadata, metadata, unsetMetadata));
    refuseTooMany(keysAfter(volume.imageMetadata, imageMetadata, unsetImageMetadata));
    const outcome = await commit(store, {
      edits: [editOf(volume, 'describe', { set, unset })],
      event: 'volume.update',
    });
    if (outcome.word === 'ok') return volumesOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

function keysAfter(before: object, set: object, unset: readonly string[]): string[] {
  const kept = Object.keys(before).filter((key) => !unset.includes(key));
  return [...new Set([...kept, ...Object.keys(set)])];
}

/** Throws NotCapable. */
async function requireMultiattach(store: Store, { id, node, backend }: VolumeState): Promise<void> {
  const [found] = (await backendsOf(store).readAll([backendId(node, backend)])).states;
  if (found && !found.capabilities.includes('multiattach')) throw errors.notCapable(id, found.driver, 'multiattach');
}

/** '': the field goes. */
function flag(field: string, value: boolean | undefined): Record<string, string> {
  return value === undefined ? {} : { [field]: value ? 'true' : '' };
}
