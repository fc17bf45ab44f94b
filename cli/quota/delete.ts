import { removeQuota } from '../../lib/client/quotas.ts';
import type { Context } from '../context.ts';

/** Prints the project. Throws QuotaNotFound. */
export async function deleteQuota(context: Context, project: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  await removeQuota(session.store, project);
  if (output.json) await output.document({ deleted: [project] });
  else await output.line(project);
}
