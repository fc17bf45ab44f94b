import { asError, errors } from '../../lib/errors.ts';
import type { Image } from '../../lib/images/image.ts';
import type { ImageStore } from '../../lib/images/store.ts';

/**
 * Makes an image without data. `isNew`: it was not there; it is where an earlier command with its id was interrupted. Throws ImageExists and
 * what the store throws.
 */
export async function madeImage(
  store: ImageStore,
  request: Parameters<ImageStore['create']>[0],
): Promise<{ image: Image; isNew: boolean }> {
  try {
    return { image: await store.create(request), isNew: true };
  } catch (error) {
    if (asError(error).code !== 'ImageExists' || request.id === undefined) throw error;
    const image = await store.show(request.id);
    if (image.status === 'active' || image.diskFormat !== request.diskFormat) throw errors.imageExists(request.id);
    return { image, isNew: false };
  }
}
