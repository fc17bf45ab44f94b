import { quotaReports } from '../../lib/client/quota-report.ts';
import { setQuota } from '../../lib/client/quotas.ts';
import { errors } from '../../lib/errors.ts';
import { everyProject } from '../../lib/models/quota.ts';
import type { Context } from '../context.ts';
import type { SetQuotaOptions } from './commands.ts';
import { quotaJson } from './present.ts';

/** Prints the project. Throws InvalidArgument. */
export async function setProjectQuota(
  context: Context,
  project: string | undefined,
  { volumes, gigabytes, snapshots, default: isDefault = false }: SetQuotaOptions,
): Promise<void> {
  const usage = 'blockstore quota set';
  if ((project === undefined) !== isDefault) throw errors.usage('give either a project or --default', usage);
  if (volumes === undefined && gigabytes === undefined && snapshots === undefined) {
    throw errors.usage('give at least one limit: --volumes, --gigabytes or --snapshots', usage);
  }
  const { output } = context;
  const id = project ?? everyProject;
  await using session = await context.open();
  await setQuota(session.store, id, {
    ...(volumes === undefined ? {} : { volumes }),
    ...(gigabytes === undefined ? {} : { bytes: gigabytes }),
    ...(snapshots === undefined ? {} : { snapshots }),
  });
  const reports = await quotaReports(session.store, [id]);
  if (output.json) for (const report of reports) await output.document(quotaJson(report));
  else await output.line(id);
}
