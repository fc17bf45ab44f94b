import { openImageStore } from '../../lib/images/open-store.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { findImage, imagePlace } from './find-image.ts';
import { imageFacts, imageJson } from './present.ts';

export async function showImage(context: Context, reference: string): Promise<void> {
  const { output } = context;
  const { flags } = await context.loadFlags();
  const image = await findImage(openImageStore(flags), imagePlace(flags), reference);
  if (output.json) await output.document(imageJson(image));
  else await writeFacts(output, imageFacts(image));
}
