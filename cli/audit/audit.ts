import type { Finding } from '../../lib/audit/finding.ts';
import { auditRecords } from '../../lib/audit/records.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { type Column, Table } from '../table.ts';
import { type NodeOptions, askNodes } from './nodes.ts';

export interface AuditOptions extends NodeOptions {
  repair?: boolean;
  remove?: readonly string[];
}

const columns: readonly Column<Finding>[] = [
  { title: 'WHERE', text: ({ node }) => node || 'Redis' },
  { title: 'WHAT', text: ({ object, what }) => `${object} ${what}` },
  { title: 'MEND', text: way, style: ({ mended }) => (mended ? 'green' : undefined) },
];

/** Redis first: what it lacks would have nodes look at less. */
export async function runAudit(context: Context, options: AuditOptions): Promise<void> {
  const { repair = false, remove = [], node } = options;
  const { output } = context;
  await using session = await context.open();
  const findings: Finding[] = node === undefined ? await Array.fromAsync(auditRecords(session.store, { repair })) : [];
  const asked = await askNodes(session, output, { repair, remove }, options);
  findings.push(...asked.findings);
  const left = findings.filter(({ mended }) => !mended);
  if (left.length > 0) process.exitCode = exitCodes.failed;
  if (output.json) {
    await output.document({ findings, notAsked: asked.silent });
    return;
  }
  await new Table(output, columns).add(findings);
  if (findings.length === 0) output.note('everything agrees');
  const mendable = left.filter(({ mend }) => mend !== '').length;
  if (mendable > 0 && !repair)
    output.note(`"blockstore audit --repair" mends ${mendable} of ${plural(left.length, 'difference')}`);
}

function way({ mend, mended, trouble }: Finding): string {
  if (trouble !== undefined) return `${mend}: ${trouble}`;
  return mended ? `done: ${mend}` : mend;
}
