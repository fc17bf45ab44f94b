import { asError, errors } from '../../lib/errors.ts';
import type { Image } from '../../lib/images/image.ts';
import type { ImageStore } from '../../lib/images/store.ts';

/** One without data is there where an earlier command with its id was interrupted. Throws ImageExists. */
export async function madeImage(store: ImageStore, request: Parameters<ImageStore['create']>[0]): Promise<Image> {
  try {
    return await store.create(request);
  } catch (error) {
    if (asError(error).code !== 'ImageExists' || request.id === undefined) throw error;
    const image = await store.show(request.id);
    if (image.status === 'active' || image.diskFormat !== request.diskFormat) throw errors.imageExists(request.id);
    return image;
  }
}
