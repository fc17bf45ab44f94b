import { type TypeChanges, updateType } from '../../lib/client/types.ts';
import { errors } from '../../lib/errors.ts';
import { findType } from '../../lib/models/find-type.ts';
import type { Context } from '../context.ts';
import type { UpdateTypeOptions } from './commands.ts';
import { typeJson } from './present.ts';

/** Prints the id. Throws TypeNotFound, InvalidArgument, TypeExists, TypeInUse. */
export async function updateVolumeType(context: Context, reference: string, options: UpdateTypeOptions): Promise<void> {
  const { name, description, require: requirements, meta: metadata, unsetMeta: unsetMetadata } = options;
  const { iops, bandwidth } = options;
  const changes: TypeChanges = {
    ...(iops === undefined ? {} : { iops }),
    ...(bandwidth === undefined ? {} : { bytesPerSecond: bandwidth }),
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(unsetMetadata === undefined ? {} : { unsetMetadata }),
  };
  if (Object.keys(changes).length === 0) throw errors.usage('nothing is to be changed', 'blockstore type update');
  const { output } = context;
  await using session = await context.open();
  const { id } = await findType(session.store, reference);
  const type = await updateType(session.store, id, changes);
  if (output.json) await output.document(typeJson(type));
  else await output.line(type.id);
}
