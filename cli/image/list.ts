import type { Image } from '../../lib/images/image.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { ImageStore } from '../../lib/images/store.ts';
import type { Context } from '../context.ts';
import { type Part, writeParts } from '../record-list.ts';
import { imageColumns, imageJson } from './present.ts';

export interface ListImagesOptions {
  limit?: number;
  marker?: string;
}

const pageSize = 100;

export async function listImages(context: Context, options: ListImagesOptions): Promise<void> {
  const store = openImageStore((await context.loadFlags()).flags);
  await writeParts(context.output, { noun: 'image', columns: imageColumns, json: imageJson }, partsOf(store, options));
}

async function* partsOf(
  store: ImageStore,
  { limit = Infinity, marker }: ListImagesOptions,
): AsyncGenerator<Part<Image>> {
  let left = limit;
  let after = marker;
  do {
    const options = { limit: Math.min(pageSize, left), ...(after === undefined ? {} : { marker: after }) };
    const { images: rows, marker: next } = await store.list(options);
    left -= rows.length;
    after = rows.length > 0 ? next : undefined;
    yield { rows: [...rows], unreadable: [], ...(left <= 0 && after !== undefined ? { next: after } : {}) };
  } while (after !== undefined && left > 0);
}
