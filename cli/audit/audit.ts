import type { Finding } from '../../lib/audit/finding.ts';
import { auditRecords } from '../../lib/audit/records.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { type Column, Table } from '../table.ts';
import { type NodeOptions, auditNodes } from './nodes.ts';

export interface AuditOptions extends NodeOptions {
  repair?: boolean;
  remove?: readonly string[];
}

const columns: readonly Column<Finding>[] = [
  { title: 'WHERE', text: ({ node }) => node || 'Redis' },
  { title: 'DIFFERENCE', text: ({ object, what }) => `${object} ${what}` },
  { title: 'FIX', text: fixText, style: ({ fixed }) => (fixed ? 'green' : undefined) },
];

/** Repairs Redis first: a node checks only the volumes that the indexes list. */
export async function runAudit(context: Context, options: AuditOptions): Promise<void> {
  const { repair = false, remove = [], node } = options;
  const { output } = context;
  await using session = await context.open();
  const findings: Finding[] = node === undefined ? await Array.fromAsync(auditRecords(session.store, { repair })) : [];
  const audited = await auditNodes(session, output, { repair, remove: [...remove] }, options);
  findings.push(...audited.findings);
  const open = findings.filter(({ fixed }) => !fixed);
  const { notAudited, notExamined } = audited;
  const isComplete = notAudited.length === 0 && notExamined.length === 0;
  if (!isComplete) process.exitCode = exitCodes.unavailable;
  if (open.length > 0) process.exitCode = exitCodes.failed;
  if (output.json) {
    await output.document({ findings, notAudited, notExamined });
    return;
  }
  await new Table(output, columns).add(findings);
  for (const volume of notExamined) output.warn(`not examined, something is under way: volume ${volume}`);
  if (notAudited.length > 0) output.warn(`not examined: ${notAudited.map((name) => `node ${name}`).join(', ')}`);
  if (findings.length === 0 && isComplete) output.note('no differences');
  const fixable = open.filter(({ fix }) => fix !== '').length;
  if (fixable > 0 && !repair)
    output.note(`"blockstore audit --repair" fixes ${fixable} of ${plural(open.length, 'difference')}`);
}

function fixText({ fix, fixed, failure }: Finding): string {
  if (failure !== undefined) return `${fix}: ${failure}`;
  return fixed ? `fixed: ${fix}` : fix;
}
