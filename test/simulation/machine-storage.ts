import type { NodeStorage } from '../support/agreement.ts';
import type { SimulatedNode } from './node.ts';

/** Returns what exists on a node's machine. */
export function storageOf({ name, machines, exports }: SimulatedNode): NodeStorage {
  const stored = machines.flatMap((machine) => [...machine.stored.values()]);
  const found = machines.flatMap((machine) => [...machine.snapshots.values()]);
  const snapshots = found.map(({ snapshot, whole }) => ({
    id: snapshot.id,
    volumeId: snapshot.volume.id,
    whole,
  }));
  return {
    node: name,
    volumes: stored.filter(({ whole }) => whole).map(({ volume }) => volume),
    exports: [...exports.values()],
    snapshots: snapshots.filter(({ whole }) => whole),
    leftovers: [
      ...stored.filter(({ whole }) => !whole).map(({ volume }) => `half-made storage of volume ${volume.id}`),
      ...snapshots.filter(({ whole }) => !whole).map(({ id }) => `half-made storage of snapshot ${id}`),
    ],
  };
}
