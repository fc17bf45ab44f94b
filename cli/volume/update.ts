import type { VolumeChanges } from '../../lib/client/describe.ts';
import { errors } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { refuseSetAndUnset } from '../arguments.ts';
import type { Context } from '../context.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, sendOptions } from './wait-options.ts';

export interface UpdateOptions extends ChangeOptions {
  name?: string;
  description?: string;
  meta?: Readonly<Record<string, string>>;
  unsetMeta?: readonly string[];
  bootable?: boolean;
  readOnly?: boolean;
  multiattach?: boolean;
  deleteOnTermination?: boolean;
}

/** Prints the id. Throws InvalidArgument where nothing is to be changed. */
export async function updateVolume(context: Context, reference: string, options: UpdateOptions): Promise<void> {
  const { name, description, meta, unsetMeta, bootable, readOnly, multiattach, deleteOnTermination } = options;
  const changes: VolumeChanges = {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(meta === undefined ? {} : { metadata: meta }),
    ...(unsetMeta === undefined ? {} : { unsetMetadata: unsetMeta }),
    ...(bootable === undefined ? {} : { isBootable: bootable }),
    ...(readOnly === undefined ? {} : { isReadOnly: readOnly }),
    ...(multiattach === undefined ? {} : { isMultiattach: multiattach }),
    ...(deleteOnTermination === undefined ? {} : { deleteOnTermination }),
  };
  if (Object.keys(changes).length === 0) throw errors.usage('nothing is to be changed', 'blockstore volume update');
  refuseSetAndUnset(meta, unsetMeta);
  const { output, interrupts } = context;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const volume = await interrupts.during('update', id, () =>
    withProgress(output, session.store, id, () => session.commands.update(id, changes, sendOptions(options))),
  );
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}
