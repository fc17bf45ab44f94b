import { defaultTransferMs } from '../../lib/client/transfer-commands.ts';
import { errors, asError } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { transferJson } from './present.ts';

export interface CreateTransferOptions {
  name?: string;
  withSnapshots?: true;
  withoutSnapshots?: true;
  /** Milliseconds. */
  expires?: number;
}

/** Prints the id and the key, which is shown at no other time. */
export async function createTransfer(
  context: Context,
  reference: string,
  options: CreateTransferOptions,
): Promise<void> {
  const { name, withSnapshots, withoutSnapshots, expires = defaultTransferMs } = options;
  if (withSnapshots && withoutSnapshots) {
    throw errors.usage('--with-snapshots and --without-snapshots contradict each other', 'blockstore transfer create');
  }
  const { output } = context;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const request = {
    withSnapshots: withoutSnapshots !== true,
    lengthMs: expires,
    ...(name === undefined ? {} : { name }),
  };
  const { transfer, key } = await session.transfers.create(id, request).catch((thrown: unknown) => {
    if (unsureCodes.has(asError(thrown).code)) {
      output.warn(`volume ${id} may be offered, with a key that nobody has: see "blockstore volume show ${id}"`);
    }
    throw thrown;
  });
  if (output.json) await output.document({ ...transferJson(transfer), key });
  else await output.line(`${transfer.id}\n${key}`);
}
