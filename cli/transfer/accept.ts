import { asError, errors } from '../../lib/errors.ts';
import { findTransfer } from '../../lib/models/find-transfer.ts';
import type { TransferState } from '../../lib/models/transfer-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { withProgress } from '../volume/follow.ts';
import { withHost } from '../volume/host.ts';
import { volumeJson } from '../volume/present.ts';
import { type ChangeOptions, sendOptions } from '../volume/wait-options.ts';
import { readKey } from './read-key.ts';

export interface AcceptOptions extends ChangeOptions {
  key?: string;
  user?: string;
  project: string;
}

/** Prints the id of the volume. */
export async function acceptTransfer(context: Context, reference: string, options: AcceptOptions): Promise<void> {
  const { user = currentUser().name, project } = options;
  const { output, interrupts } = context;
  const key = options.key ?? (await readKey());
  await using session = await context.open();
  const { store, transfers } = session;
  const { id, volume: volumeId } = await named(store, reference);
  const receiver = { projectId: project, userId: user };
  const volume = await interrupts
    .during('transfer', volumeId, () =>
      withProgress(output, store, volumeId, () => transfers.accept(id, key, receiver, sendOptions(options))),
    )
    .catch((thrown: unknown) => {
      if (unsureCodes.has(asError(thrown).code)) {
        output.warn(`the transfer may be accepted: see "blockstore volume show ${volumeId}"`);
      }
      throw thrown;
    });
  if (output.json) await output.document(volumeJson(await withHost(store, volume)));
  else await output.line(volume.id);
}

/** One that is absent is refused as one with another key is. */
async function named(store: Store, reference: string): Promise<TransferState> {
  try {
    return await findTransfer(store, reference);
  } catch (error) {
    throw asError(error).code === 'TransferNotFound' ? errors.transferRefused(reference) : error;
  }
}
