import { quotaReports } from '../../lib/client/quota-report.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { quotaFacts, quotaJson } from './present.ts';

/** Also of a project that has neither quota nor volumes. */
export async function showQuota(context: Context, project: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  for (const report of await quotaReports(session.store, [project])) {
    if (output.json) await output.document(quotaJson(report));
    else await writeFacts(output, quotaFacts(report));
  }
}
