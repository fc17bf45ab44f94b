import { Semaphore } from '../../concurrency.ts';
import type { RbdCommands } from '../../rbd/commands.ts';
import { type ListedImage, listImages } from './images.ts';
import { type Metadata, metadataShape } from './labels.ts';
import { volumeIdIn } from './names.ts';

/** An image that is named after a volume, with its metadata. */
export interface NamedImage extends ListedImage {
  id: string;
  metadata: Metadata;
}

const maxReads = 8;

/**
 * Reads the images of the pool. One command lists them all; their metadata, which has the labels, takes one more for each image, so
 * that is read once and then kept until this node changes it.
 */
export class Catalogue {
  private readonly commands: RbdCommands;
  private readonly known = new Map<string, { imageId: string; metadata: Promise<Metadata> }>();
  private readonly reads = new Semaphore(maxReads);

  constructor(commands: RbdCommands) {
    this.commands = commands;
  }

  /** Returns all images, and those that are named after volumes with their metadata. */
  async read(): Promise<{ all: ListedImage[]; named: NamedImage[] }> {
    const all = await listImages(this.commands);
    const names = new Set(all.map(({ name }) => name));
    for (const name of this.known.keys()) if (!names.has(name)) this.known.delete(name);
    const named = await Promise.all(
      all.map(async (image) => {
        const id = volumeIdIn(image.name);
        return id === undefined ? [] : [{ ...image, id, metadata: await this.metadataOf(image) }];
      }),
    );
    return { all, named: named.flat() };
  }

  /** After a change of an image's metadata. */
  invalidate(name: string): void {
    this.known.delete(name);
  }

  invalidateAll(): void {
    this.known.clear();
  }

  private metadataOf({ name, imageId }: ListedImage): Promise<Metadata> {
    const known = this.known.get(name);
    if (known?.imageId === imageId) return known.metadata;
    const entry = { imageId, metadata: this.reads.run(() => readMetadata(this.commands, name)).then(orNone) };
    this.known.set(name, entry);
    entry.metadata.catch(() => {
      if (this.known.get(name) === entry) this.known.delete(name);
    });
    return entry.metadata;
  }
}

/** Returns undefined where the image does not exist. */
export function readMetadata(commands: RbdCommands, name: string): Promise<Metadata | undefined> {
  return commands.read(metadataShape, ['image-meta', 'list', name]);
}

function orNone(metadata: Metadata | undefined): Metadata {
  return metadata ?? {};
}
