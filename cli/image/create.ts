import { randomUUID } from 'node:crypto';
import type { Recording } from '../../lib/client/volume-commands.ts';
import { errors } from '../../lib/errors.ts';
import type { ImageFormat } from '../../lib/images/formats/names.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { Context } from '../context.ts';
import { withProgress } from '../volume/follow.ts';
import { sendOptions, waitsForEnd } from '../volume/wait-options.ts';
import { type CopyOutOptions, copyDataOut, copySource } from '../snapshot/copy-out.ts';
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
  const { output } = context;
  await using session = await context.open();
  const source = await copySource(session, reference, options);
  const { volume, size } = source;
  const store = openImageStore(session.flags);
  const discard = () => store.remove(id);
  const request = {
    id,
    name: options.name ?? (volume.name || volume.id),
    diskFormat: format,
    minDisk: minDisk ?? size,
  };
  const make = async () => (await madeImage(store, request)).isNew;
  const ofVolume = (recording: Recording) =>
    withProgress(output, session.store, volume.id, () =>
      session.images.upload(volume.id, id, { ...sendOptions(options), recording }),
    );
  const isDone = async () => (await store.show(id)).status === 'active';
  const later = `the image may get its data yet; to repeat the command: --id ${id}`;
  const isOwnId = options.id === undefined;
  const copy = { kind: 'upload', target: id, isOwnId, make, isDone, ofVolume, discard, later } as const;
  await copyDataOut(context, session, source, options, copy);
  const image = await store.show(id);
  if (waitsForEnd(options) && image.status !== 'active') throw errors.changeLost(volume.id, 'upload', volume.status);
  if (output.json) await output.document(imageJson(image));
  else await output.line(id);
}
