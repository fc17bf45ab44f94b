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
    .filter(({ fixed }) => fixed)
    .map(({ node, object }) => ({ node, volume: object.split(' ')[1] }));
  const failed = findings.flatMap(({ node, object, failure }) =>
    failure === undefined ? [] : [{ node, object, failure }],
  );
  if (notAudited.length > 0) process.exitCode = exitCodes.unavailable;
  if (failed.length > 0) process.exitCode = exitCodes.failed;
  if (output.json) {
    await output.document({ restored, failed, notAudited });
    return;
  }
  for (const { node, object, failure } of failed) output.note(`${node}: ${object}: ${failure}`);
  if (notAudited.length > 0) output.warn(`not examined: ${notAudited.map((name) => `node ${name}`).join(', ')}`);
  await output.line(`restored ${plural(restored.length, 'record')}`);
}
