import type { FoundVolume, VolumeDriver } from '../../lib/drivers/driver.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Backend } from './backends.ts';
import { isMarked, movedLabel } from './specs.ts';

export type StoredVolume = FoundVolume & { backend: Backend };

/**
 * Volumes on the storage of served backends, as it was read. One that migrates between them, or has done so, is on two: which of them is the
 * volume, its record says.
 */
export class FoundStorage {
  private readonly byId: ReadonlyMap<string, readonly StoredVolume[]>;

  constructor(volumes: readonly StoredVolume[]) {
    this.byId = Map.groupBy(volumes, ({ id }) => id);
  }

  /** Of every volume, what is on each backend. */
  get all(): StoredVolume[] {
    return [...this.byId.values()].flat();
  }

  get ids(): ReadonlySet<string> {
    return new Set(this.byId.keys());
  }

  /** Of every volume, one: without a record its own storage, as far as labels tell, then an incomplete copy, then what it has left. */
  get first(): StoredVolume[] {
    return [...this.byId.values()].flatMap((copies) =>
      copies.toSorted((one, other) => rank(one) - rank(other)).slice(0, 1),
    );
  }

  has(id: string): boolean {
    return this.byId.has(id);
  }

  /** What is on every backend of one volume. */
  copies(id: string): readonly StoredVolume[] {
    return this.byId.get(id) ?? [];
  }

  /** Of a volume of this node: what is on its backend. */
  of({ id, backend }: Pick<VolumeState, 'id' | 'backend'>): StoredVolume | undefined {
    return this.copies(id).find((one) => one.backend.name === backend);
  }
}

/** Every volume on the storage of a backend. */
export async function storedOn(backend: Backend): Promise<StoredVolume[]> {
  return (await backend.driver.listVolumes()).map((volume) => Object.assign(volume, { backend }));
}

/** Returns the storage of a volume with the labels that it has at this moment: another node on it may have changed them. */
export async function storedVolume(driver: VolumeDriver, volume: string): Promise<FoundVolume | undefined> {
  const found = (await driver.listVolumes()).find(({ id }) => id === volume);
  if (!found || !driver.readLabels) return found;
  const labels = await driver.readLabels(volume);
  return labels && { ...found, labels };
}

function rank({ labels }: FoundVolume): number {
  if (!isMarked(labels)) return 0;
  return labels[movedLabel] === undefined ? 1 : 2;
}
