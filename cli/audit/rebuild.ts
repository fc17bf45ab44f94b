import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { type NodeOptions, auditNodes } from './nodes.ts';

export type RebuildOptions = NodeOptions;

export async function rebuild(context: Context, options: RebuildOptions): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const request = { repair: true, recordsOnly: true, remove: [] };
  const { findings, notAudited } = await auditNodes(session, output, request, options);
  const restored = findings
    .filter(({ mended }) => mended)
    .map(({ node, object }) => ({ node, volume: object.split(' ')[1] }));
  const failed = findings.flatMap(({ node, object, trouble }) =>
    trouble === undefined ? [] : [{ node, object, trouble }],
  );
  if (failed.length > 0) process.exitCode = exitCodes.failed;
  if (output.json) {
    await output.document({ restored, failed, notAudited });
    return;
  }
  for (const { node, object, trouble } of failed) output.note(`${node}: ${object}: ${trouble}`);
  await output.line(`restored ${plural(restored.length, 'record')}`);
}
