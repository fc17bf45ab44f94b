import { updateProject } from '../../lib/client/identity/projects.ts';
import { errors } from '../../lib/errors.ts';
import { findProject } from '../../lib/models/project.ts';
import type { Context } from '../context.ts';
import { projectJson } from './present.ts';

export interface UpdateProjectOptions {
  name?: string;
  description?: string;
  enable?: true;
  disable?: true;
}

const usage = 'blockstore project update';

/** Prints the id. Throws ProjectNotFound, InvalidArgument, ProjectExists. */
export async function updateProjectByName(
  context: Context,
  reference: string,
  options: UpdateProjectOptions,
): Promise<void> {
  const { name, description, enable, disable } = options;
  if (Object.keys(options).length === 0) throw errors.usage('nothing is to be changed', usage);
  if (enable && disable) throw errors.usage('--enable and --disable exclude each other', usage);
  const { output } = context;
  await using session = await context.open();
  const { id } = await findProject(session.store, reference);
  const project = await updateProject(session.store, id, {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
    ...(enable || disable ? { isEnabled: enable === true } : {}),
  });
  if (output.json) await output.document(projectJson(project));
  else await output.line(id);
}
