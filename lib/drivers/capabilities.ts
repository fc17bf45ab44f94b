export const capabilityNames = [
  'snapshots',
  'groupSnapshots',
  'clones',
  'extend',
  'images',
  'migration',
  'thin',
  'multiattach',
  'discard',
] as const;
export type CapabilityName = (typeof capabilityNames)[number];

/** Capabilities beyond creating and deleting volumes. A request that needs others is refused before it starts. */
export interface Capabilities extends Record<CapabilityName, boolean> {
  snapshots: boolean;
  /** Snapshots of several of its volumes can be of one moment. */
  groupSnapshots: boolean;
  clones: boolean;
  extend: boolean;
  /** Its nodes can open the data of volumes and snapshots, for images and backups. */
  images: boolean;
  /** Its nodes can open the data of its volumes, which can go to another backend, and come from there. */
  migration: boolean;
  /** A new volume takes no space of the storage, and later that of what was written to it. */
  thin: boolean;
  /** Several hosts can have a volume at once, each by its own attachment. */
  multiattach: boolean;
  /** What a host discards is free space. */
  discard: boolean;
  /** Identity of storage that several nodes reach, for example `rbd:<fsid>/<pool>`; empty: only this node reaches it. */
  shared: string;
}

export const noCapabilities: Capabilities = {
  snapshots: false,
  groupSnapshots: false,
  clones: false,
  extend: false,
  images: false,
  migration: false,
  thin: false,
  multiattach: false,
  discard: false,
  shared: '',
};
