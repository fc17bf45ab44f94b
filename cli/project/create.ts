import { createProject } from '../../lib/client/identity/projects.ts';
import type { Context } from '../context.ts';
import { projectJson } from './present.ts';

export interface CreateProjectOptions {
  description?: string;
}

/** Prints the id. Throws InvalidArgument, ProjectExists. */
export async function createProjectByName(
  context: Context,
  name: string,
  options: CreateProjectOptions,
): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const project = await createProject(session.store, { ...options, name });
  if (output.json) await output.document(projectJson(project));
  else await output.line(project.id);
}
