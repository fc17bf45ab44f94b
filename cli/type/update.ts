import { admitProject, excludeProject } from '../../lib/client/type-access.ts';
import { updateType } from '../../lib/client/types.ts';
import { errors } from '../../lib/errors.ts';
import { findType } from '../../lib/models/find-type.ts';
import { typesOf } from '../../lib/models/type.ts';
import { refuseSetAndUnset } from '../arguments.ts';
import type { Context } from '../context.ts';
import { changesIn } from './changes.ts';
import type { UpdateTypeOptions } from './commands.ts';
import { typeJson } from './present.ts';

/**
 * Prints the id. Throws TypeNotFound, InvalidArgument, TypeExists, TypeInUse, and what admitProject() and excludeProject() throw.
 */
export async function updateVolumeType(context: Context, reference: string, options: UpdateTypeOptions): Promise<void> {
  const { admit = [], exclude = [] } = options;
  const changes = changesIn(options);
  const isChanged = Object.keys(changes).length > 0;
  if (!isChanged && admit.length + exclude.length === 0) {
    throw errors.usage('nothing is to be changed', 'blockstore type update');
  }
  if (options.public && options.private) {
    throw errors.usage('--public and --private exclude each other', 'blockstore type update');
  }
  const both = admit.find((project) => exclude.includes(project));
  if (both !== undefined) {
    throw errors.usage(`--admit and --exclude both name project ${both}`, 'blockstore type update');
  }
  refuseSetAndUnset(options.meta, options.unsetMeta);
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const { id } = await findType(store, reference);
  if (isChanged) await updateType(store, id, changes);
  for (const project of exclude) await excludeProject(store, id, project);
  for (const project of admit) await admitProject(store, id, project);
  if (output.json) await output.document(typeJson(await typesOf(store).lookup(id)));
  else await output.line(id);
}
