import { findProject } from '../../lib/models/project.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { belongingsOf, projectFacts, projectJson } from './present.ts';

export async function showProject(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const project = await findProject(session.store, reference);
  const belongings = await belongingsOf(session.store, project.id);
  if (output.json) await output.document({ ...projectJson(project), ...belongings });
  else await writeFacts(output, projectFacts(project, belongings));
}
