import type { Finding } from '../../lib/audit/finding.ts';
import { auditReferences } from '../../lib/audit/references.ts';
import { auditRecords } from '../../lib/audit/records.ts';
import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { type Column, Table } from '../table.ts';
import { type NodeOptions, auditNodes, reportNotExamined } from './nodes.ts';

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
  if (node === undefined) findings.push(...(await Array.fromAsync(auditReferences(session.store, { repair }))));
  // A record that cannot be read is found in Redis and by its node.
  const known = new Set(findings.map(({ object, what }) => `${object} ${what}`));
  findings.push(...audited.findings.filter(({ object, what }) => !known.has(`${object} ${what}`)));
  const open = findings.filter(({ fixed }) => !fixed);
  const notRemoved = remove.filter((id) => !audited.findings.some(({ object }) => object.endsWith(` ${id}`)));
  if (output.json) await output.document({ ...audited, findings, ...(remove.length === 0 ? {} : { notRemoved }) });
  else await new Table(output, columns).add(findings);
  const isComplete = reportNotExamined(output, audited);
  if (open.length > 0 || (notRemoved.length > 0 && isComplete)) process.exitCode = exitCodes.failed;
  if (output.json) return;
  for (const id of notRemoved) output.warn(`not removed: no storage without a record was found for ${id}`);
  if (findings.length === 0 && isComplete) output.note('no differences');
  const fixable = open.filter(({ fix }) => fix !== '').length;
  if (fixable > 0 && !repair)
    output.note(`"blockstore audit --repair" fixes ${fixable} of ${plural(open.length, 'difference')}`);
}

function fixText({ fix, fixed, failure }: Finding): string {
  if (failure !== undefined) return `${fix}: ${failure}`;
  return fixed ? `fixed: ${fix}` : fix;
}
