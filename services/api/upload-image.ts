import { asError, errors } from '../../lib/errors.ts';
import type { ImageFormat } from '../../lib/images/formats/names.ts';
import type { Image } from '../../lib/images/image.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { ImageStore } from '../../lib/images/store.ts';
import { usersOf } from '../../lib/models/attachment.ts';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from './call.ts';
import { idOfNew } from './idempotency.ts';

export interface RequestedImage {
  name: string;
  diskFormat: ImageFormat;
  /** Also of an attached volume: as it is at one moment. */
  isForced: boolean;
}

/**
 * Makes an image, to which a node gives the data of a volume. A repeated request with the same key has one effect. Throws VolumeAttached,
 * VolumeEncrypted, NotCapable, WrongStatus, NodeLost, ImageExists, ImageServiceUnavailable, InvalidArgument.
 */
export async function uploadImage(context: Context, volume: VolumeState, request: RequestedImage): Promise<Image> {
  const { cluster, flags } = context;
  const { name, diskFormat, isForced } = request;
  const isAttached = volume.attachStatus !== 'detached';
  if (isAttached && !isForced) throw errors.imageOfAttached(volume.id, await usersOf(cluster.store, volume));
  const store = openImageStore(flags);
  const id = idOfNew(context, 'volume:upload-image');
  const expected = { id, name: checkVolumeName(name), diskFormat, minDisk: volume.size };
  const image = await store.create(expected).catch((thrown: unknown) => {
    if (asError(thrown).code !== 'ImageExists') throw thrown;
    return undefined;
  });
  if (image === undefined) return repeated(store, expected);
  try {
    if (!isAttached) await cluster.images.upload(volume.id, id);
    else {
      const isDone = async () => (await store.show(id)).status === 'active';
      await cluster.images.copyAttached(volume.id, { target: id, isDone });
    }
  } catch (error) {
    await store.remove(id).catch(() => undefined); // one without data is in nobody's way
    throw error;
  }
  return image;
}

/** Throws ImageExists for a request that differs from the one that made it. */
async function repeated(store: ImageStore, expected: { id: string; name: string; diskFormat: string }): Promise<Image> {
  const found = await store.show(expected.id);
  if (found.name !== expected.name || found.diskFormat !== expected.diskFormat) throw errors.imageExists(expected.id);
  return found;
}
