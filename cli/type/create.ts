import { createType } from '../../lib/client/types.ts';
import type { Context } from '../context.ts';
import type { ChangeTypeOptions } from './commands.ts';
import { typeJson } from './present.ts';

/** Prints the id. Throws InvalidArgument, TypeExists. */
export async function createVolumeType(
  context: Context,
  name: string,
  { description, require: requirements, meta: metadata, iops, bandwidth }: ChangeTypeOptions,
): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const type = await createType(session.store, {
    name,
    ...(description === undefined ? {} : { description }),
    ...(requirements === undefined ? {} : { requirements }),
    ...(metadata === undefined ? {} : { metadata }),
    ...(iops === undefined ? {} : { iops }),
    ...(bandwidth === undefined ? {} : { bytesPerSecond: bandwidth }),
  });
  if (output.json) await output.document(typeJson(type));
  else await output.line(type.id);
}
