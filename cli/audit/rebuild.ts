import type { Context } from '../context.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { type NodeOptions, auditNodes, reportNotExamined } from './nodes.ts';

export type RebuildOptions = NodeOptions;

export async function rebuild(context: Context, options: RebuildOptions): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const request = { repair: true, recordsOnly: true, remove: [] };
  const { findings, ...rest } = await auditNodes(session, output, request, options);
  const restored = findings
    .filter(({ fixed }) => fixed)
    .map(({ node, object }) => Object.assign({ node }, idIn(object)));
  const failed = findings.flatMap(({ node, object, failure }) =>
    failure === undefined ? [] : [{ node, object, failure }],
  );
  if (output.json) await output.document({ restored, failed, ...rest });
  reportNotExamined(output, { findings, ...rest });
  if (failed.length > 0) process.exitCode = exitCodes.failed;
  if (output.json) return;
  for (const { node, object, failure } of failed) output.warn(`${node}: ${object}: ${failure}`);
  await output.line(`restored ${plural(restored.length, 'record')}`);
}

/** Of `volume <id>` or `snapshot <id>`. */
function idIn(object: string): { volume?: string; snapshot?: string } {
  const [kind, id = ''] = object.split(' ');
  return kind === 'snapshot' ? { snapshot: id } : { volume: id };
}
