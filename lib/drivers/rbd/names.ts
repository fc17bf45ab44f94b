interface WithId {
  id: string;
}

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

export function imageName({ id }: WithId): string {
  return `volume-${id}`;
}

/** An image that is not complete yet: without its labels, its size or its data. It gets the volume's name last. */
export function newName({ id }: WithId): string {
  return `blockstore-new-${id}`;
}

/** The image of a deleted volume that copies depend on: it is removed after the last of them. */
export function deletedName({ id }: WithId): string {
  return `blockstore-deleted-${id}`;
}

export function snapshotName({ id }: WithId): string {
  return `snap-${id}`;
}

/** The snapshot of the source of a clone, which Ceph keeps for the clone alone after its removal. */
export function cloneSnapshotName({ id }: WithId): string {
  return `blockstore-clone-${id}`;
}

const clonePattern = new RegExp(`^blockstore-clone-${uuid}$`);
const volumePattern = new RegExp(`^volume-(${uuid})$`);
const snapshotPattern = new RegExp(`^snap-(${uuid})$`);
const deletedPattern = new RegExp(`^blockstore-deleted-${uuid}$`);

/** Returns the id of the volume that an image is named after. */
export function volumeIdIn(name: string): string | undefined {
  return volumePattern.exec(name)?.[1];
}

export function snapshotIdIn(name: string): string | undefined {
  return snapshotPattern.exec(name)?.[1];
}

export function isDeleted(name: string): boolean {
  return deletedPattern.test(name);
}

/** Whether it is left from an interrupted clone: others do not use it. */
export function isCloneSnapshot(name: string): boolean {
  return clonePattern.test(name);
}

/** Returns the name that an image has or will have when it is complete. */
export function completeName(name: string): string {
  return name.replace(/^blockstore-new-/, 'volume-');
}
