import { storeVolume } from '../../lib/backups/store-volume.ts';
import { failBackup } from '../../lib/backups/new-backup.ts';
import { asError } from '../../lib/errors.ts';
import type { ImageSource } from '../../lib/images/fill.ts';
import { sendToImage } from '../../lib/images/send.ts';
import type { Backups } from './engine/operation.ts';
import type { SnapshotJobsOptions } from './snapshot-jobs.ts';

/** Backups and images, as what gets the data of volumes or snapshots. */
export function snapshotReaders(images: ImageSource, { store, processes }: Backups): SnapshotJobsOptions['readers'] {
  return {
    backup: {
      copy: (target, storage, options) => storeVolume(processes, store, target, storage, options),
      discard: (target, reason) => failBackup(store, target, reason),
    },
    upload: {
      copy: (target, storage, options) => sendToImage(images, storage, target, options),
      discard: (target) => discardImage(images, target),
    },
  };
}

/** An image that gets no data is of no use to anybody. */
export async function discardImage({ store }: ImageSource, id: string): Promise<void> {
  const image = await store.show(id).catch((error: unknown) => absent(error, 'ImageNotFound'));
  if (image !== undefined && image.status !== 'active') await store.remove(id);
}

function absent(error: unknown, code: string): undefined {
  if (asError(error).code !== code) throw error;
}
