import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { imageFor } from '../image/find-image.ts';
import { requireDetached, restoreFrom } from './restore.ts';
import type { ChangeOptions } from './wait-options.ts';

export interface ReimageOptions extends ChangeOptions {
  reserved?: true;
}

/** Prints the id of the volume. */
export async function reimageVolume(
  context: Context,
  reference: string,
  imageReference: string,
  { reserved, ...options }: ReimageOptions,
): Promise<void> {
  await using session = await context.open();
  const found = await findVolume(session.store, reference, { byBeginning: false });
  await requireDetached(session, found);
  const id = await imageFor(session.flags, imageReference, found);
  await restoreFrom(context, session, found, {
    ...options,
    source: { kind: 'image', id },
    mayBeReserved: reserved === true,
  });
}
