import { z } from 'zod';
import type { RbdCommands } from '../../rbd/commands.ts';
import { unlessClosed } from './closed-pools.ts';

export interface ListedImage {
  name: string;
  /** Ceph's own id of the image, which stays with it when it is renamed. */
  imageId: string;
  sizeBytes: number;
  /** Name of the image of this pool that its data depends on. */
  parent: string | undefined;
  snapshots: readonly { name: string; sizeBytes: number }[];
}

const listShape = z.array(
  z.object({
    image: z.string(),
    id: z.string(),
    size: z.number(),
    snapshot: z.string().optional(),
    parent: z.object({ pool: z.string(), image: z.string() }).optional(),
  }),
);

/** Returns all images of the pool, in one command, which opens each of them. */
export async function listImages(commands: RbdCommands): Promise<ListedImage[]> {
  const rows = (await commands.read(listShape, ['ls', '-l'])) ?? [];
  const snapshots = Map.groupBy(rows, ({ image, snapshot }) => (snapshot === undefined ? '' : image));
  return rows
    .filter(({ snapshot }) => snapshot === undefined)
    .map(({ image, id, size, parent }) => ({
      name: image,
      imageId: id,
      sizeBytes: size,
      parent: parent?.pool === commands.cluster.pool ? parent.image : undefined,
      snapshots: (snapshots.get(image) ?? []).map((row) => ({ name: row.snapshot ?? '', sizeBytes: row.size })),
    }));
}

const infoShape = z.object({
  id: z.string(),
  size: z.number(),
  features: z.array(z.string()),
  parent: z.object({ pool: z.string(), id: z.string() }).optional(),
});
export type ImageInfo = z.infer<typeof infoShape>;

/** Returns undefined where the image does not exist. */
export function imageInfo(commands: RbdCommands, name: string): Promise<ImageInfo | undefined> {
  return commands.read(infoShape, ['info', name]);
}

/**
 * Returns how many images the data of an image depends on, and stops counting above `most`, and at an image of another pool that is not
 * readable. Parents are found by their ids: they may have been renamed, or be in the trash.
 */
export async function cloneDepth(commands: RbdCommands, image: ImageInfo, most: number): Promise<number> {
  let depth = 0;
  for (let one: ImageInfo | undefined = image; one?.parent && depth <= most; depth += 1) {
    one = await parentInfo(commands, one.parent);
  }
  return depth;
}

function parentInfo(commands: RbdCommands, { pool, id }: { pool: string; id: string }): Promise<ImageInfo | undefined> {
  return unlessClosed(() => commands.inPool(pool).read(infoShape, ['info', '--image-id', id]));
}

const snapshotsShape = z.array(
  z.object({ name: z.string(), size: z.number(), namespace: z.object({ type: z.string() }).optional() }),
);

/**
 * Returns the snapshots of an image, without those that were deleted and that Ceph keeps for copies; undefined where the image does not
 * exist.
 */
export async function snapshotsOf(commands: RbdCommands, name: string) {
  const snapshots = await commands.read(snapshotsShape, ['snap', 'ls', '--all', name]);
  return snapshots?.filter(({ namespace }) => namespace?.type !== 'trash');
}

const statusShape = z.object({ watchers: z.array(z.object({ address: z.string() })) });

/** Returns the network addresses of the clients that have the image open. */
export async function watchersOf(commands: RbdCommands, name: string): Promise<string[]> {
  const status = await commands.read(statusShape, ['status', name]);
  return [...new Set(status?.watchers.map(({ address }) => address) ?? [])];
}
