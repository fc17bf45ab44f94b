import { openImageStore } from '../../lib/images/open-store.ts';
import type { Context } from '../context.ts';
import { deleteEach } from '../delete-each.ts';
import { findImage, imagePlace } from './find-image.ts';

/** Prints the id of each deleted one. */
export async function deleteImages(context: Context, references: readonly string[]): Promise<void> {
  const { flags } = await context.loadFlags();
  const store = openImageStore(flags);
  await deleteEach(
    context,
    references,
    {},
    {
      what: 'image',
      find: async (reference) => (await findImage(store, imagePlace(flags), reference)).id,
      delete: (id) => store.remove(id),
    },
  );
}
