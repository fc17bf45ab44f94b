import { randomUUID } from 'node:crypto';
import { asError, errors } from '../../lib/errors.ts';
import { backendId } from '../../lib/models/backend.ts';
import { findType } from '../../lib/models/find-type.ts';
import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { checkSize } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import { unsureCodes } from '../unsure-codes.ts';
import { backupFor } from '../backup/find-backup.ts';
import { imageFor } from '../image/find-image.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, sendOptions } from './wait-options.ts';

export interface CreateOptions extends ChangeOptions {
  name?: string;
  node?: string;
  user?: string;
  project: string;
  id?: string;
  snapshot?: string;
  source?: string;
  image?: string;
  backup?: string;
  type?: string;
  zone?: string;
  near?: string;
  apartFrom?: readonly string[];
  description?: string;
  meta?: Readonly<Record<string, string>>;
  bootable?: true;
  readOnly?: true;
  multiattach?: true;
  encrypted?: true;
  encryptionKey?: string;
}

/** Prints the id. The id is generated here, so that an interrupted call still knows it. */
export async function createVolume(context: Context, size: unknown, options: CreateOptions): Promise<void> {
  checkSize(size);
  const { name, user = currentUser().name, project, id = randomUUID(), snapshot, source, image, backup } = options;
  const { output, interrupts } = context;
  await using session = await context.open();
  const { store } = session;
  const near = options.near === undefined ? undefined : await findVolume(store, options.near);
  const node = near === undefined ? options.node : backendId(near.node, near.backend);
  const apart = await Promise.all((options.apartFrom ?? []).map((reference) => findVolume(store, reference)));
  const from = backup === undefined ? undefined : await backupFor(session.flags, backup, { size });
  const encryptionKey = from?.encryptionKey ?? options.encryptionKey;
  if (options.encryptionKey !== undefined && options.encryptionKey !== encryptionKey) {
    throw errors.invalidArgument(
      'encryption key',
      options.encryptionKey,
      `that of backup ${from?.id}: ${encryptionKey}`,
    );
  }
  const request = {
    id,
    size,
    userId: user,
    projectId: project,
    ...(name === undefined ? {} : { name }),
    ...(node === undefined ? {} : { node }),
    ...(options.type === undefined ? {} : { type: (await findType(store, options.type)).id }),
    ...(options.zone === undefined ? {} : { zone: options.zone }),
    ...(apart.length === 0 ? {} : { apartFrom: apart.map((volume) => volume.id) }),
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.meta === undefined ? {} : { metadata: options.meta }),
    ...(options.bootable ? { isBootable: true } : {}),
    ...(options.readOnly ? { isReadOnly: true } : {}),
    ...(options.multiattach ? { isMultiattach: true } : {}),
    ...(options.encrypted ? { isEncrypted: true } : {}),
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
    ...(snapshot === undefined ? {} : { fromSnapshot: (await findSnapshot(session.store, snapshot)).id }),
    ...(image === undefined ? {} : { fromImage: await imageFor(session.flags, image, { size }) }),
    ...(from === undefined ? {} : { fromBackup: from.id }),
    ...(source === undefined ? {} : { fromVolume: (await findVolume(session.store, source)).id }),
  };
  const volume = await interrupts
    .during('creation', id, () =>
      withProgress(output, session.store, id, () => session.commands.create(request, sendOptions(options))),
    )
    .catch((thrown: unknown) => {
      // Repeated without the id, the command would create another one.
      if (unsureCodes.has(asError(thrown).code)) output.warn(`the volume may exist; to repeat the command: --id ${id}`);
      throw thrown;
    });
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}
