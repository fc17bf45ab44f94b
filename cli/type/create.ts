import { admitProject } from '../../lib/client/type-access.ts';
import { createType } from '../../lib/client/types.ts';
import { errors } from '../../lib/errors.ts';
import { typesOf } from '../../lib/models/type.ts';
import type { Context } from '../context.ts';
import { changesIn } from './changes.ts';
import type { ChangeTypeOptions } from './commands.ts';
import { typeJson } from './present.ts';

/** Prints the id. Throws InvalidArgument, TypeExists. */
export async function createVolumeType(context: Context, name: string, options: ChangeTypeOptions): Promise<void> {
  const { admit = [] } = options;
  if (admit.length > 0 && !options.private) throw errors.usage('--admit requires --private', 'blockstore type create');
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const { id } = await createType(store, { ...changesIn(options), name });
  for (const project of admit) await admitProject(store, id, project);
  if (output.json) await output.document(typeJson(await typesOf(store).lookup(id)));
  else await output.line(id);
}
