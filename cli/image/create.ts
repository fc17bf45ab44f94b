import { randomUUID } from 'node:crypto';
import { asError, errors } from '../../lib/errors.ts';
import type { ImageFormat } from '../../lib/images/formats/names.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { withProgress } from '../volume/follow.ts';
import { sendOptions, waitsForEnd } from '../volume/wait-options.ts';
import { type CopyOutOptions, copyDataOut } from '../snapshot/copy-out.ts';
import { madeImage } from './made-image.ts';
import { imageJson } from './present.ts';

export interface CreateImageOptions extends CopyOutOptions {
  format: ImageFormat;
  name?: string;
  minDisk?: number;
  id?: string;
}

/** Prints the id. The id is generated here, so that an interrupted call still knows it. */
export async function createImage(context: Context, reference: string, options: CreateImageOptions): Promise<void> {
  const { format, id = randomUUID(), minDisk } = options;
  const { output, interrupts } = context;
  await using session = await context.open();
  const volume = await findVolume(session.store, reference);
  const store = openImageStore(session.flags);
  await madeImage(store, {
    id,
    name: options.name ?? (volume.name || volume.id),
    diskFormat: format,
    minDisk: minDisk ?? volume.size,
  });
  const ofVolume = () =>
    interrupts.during('upload', volume.id, () =>
      withProgress(output, session.store, volume.id, () => session.images.upload(volume.id, id, sendOptions(options))),
    );
  const isDone = async () => (await store.show(id)).status === 'active';
  await copyDataOut(context, session, volume, options, { kind: 'upload', target: id, isDone, ofVolume }).catch(
    async (thrown: unknown) => {
      if (unsureCodes.has(asError(thrown).code))
        output.warn(`the image may get its data yet; to repeat the command: --id ${id}`);
      else await store.remove(id);
      throw thrown;
    },
  );
  const image = await store.show(id);
  if (waitsForEnd(options) && image.status !== 'active') throw errors.changeLost(volume.id, 'upload', volume.status);
  if (output.json) await output.document(imageJson(image));
  else await output.line(id);
}
