import { quotaReports } from '../../lib/client/quota-report.ts';
import { quotasOf } from '../../lib/models/quota.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { type Part, writeParts } from '../record-list.ts';
import { quotaColumns, quotaJson } from './present.ts';
import type { QuotaReport } from '../../lib/client/quota-report.ts';

const pageSize = 500;

export async function listQuotas(context: Context): Promise<void> {
  await using session = await context.open();
  const shown = { noun: 'quota', columns: quotaColumns, json: quotaJson } as const;
  await writeParts(context.output, shown, pages(session.store));
}

async function* pages(store: Store): AsyncGenerator<Part<QuotaReport>> {
  const quotas = quotasOf(store);
  let marker: string | undefined;
  do {
    const page = await quotas.page(store.keys.quotas(), {
      limit: pageSize,
      ...(marker === undefined ? {} : { marker }),
    });
    const projects = page.states.map(({ id }) => id);
    yield { rows: await quotaReports(store, projects), unreadable: page.unreadable };
    marker = page.next;
  } while (marker !== undefined);
}
