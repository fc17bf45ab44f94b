import { drain, setClosed } from '../../lib/client/drain.ts';
import { type BlockstoreError, errors } from '../../lib/errors.ts';
import { backendId } from '../../lib/models/backend.ts';
import type { Context } from '../context.ts';
import { naming } from '../delete-each.ts';
import { exitCodes } from '../exit-codes.ts';
import { plural } from '../format.ts';
import { Progress } from '../progress.ts';
import { followProgress } from '../volume/follow-progress.ts';
import { type ChangeOptions, waitsForEnd } from '../volume/wait-options.ts';

export interface DrainOptions extends ChangeOptions {
  to?: string;
}

/**
 * Prints each volume with the place that it has then. One that cannot move keeps no other from moving; the exit code is that of the first
 * failure. Throws NodeNotFound.
 */
export async function drainNode(context: Context, name: string, options: DrainOptions): Promise<void> {
  const { output } = context;
  const { to } = options;
  await using session = await context.open();
  const { migrations, store } = session;
  const progress = new Progress(output, `node ${name}`);
  const moved: { id: string; host: string }[] = [];
  const failed: { id: string; code: string; message: string }[] = [];
  let failure: BlockstoreError | undefined;
  const lines: Promise<void>[] = [];
  const report = (id: string, thrown: BlockstoreError) => {
    const error = naming(`volume ${id}`, id, thrown);
    failure ??= error;
    failed.push({ id, code: error.code, message: error.message });
    progress.clear();
    output.error(error);
  };
  await drain(
    store,
    (id) =>
      followProgress(session, id, options, 'migrate', (send) =>
        migrations.migrate(id, to === undefined ? {} : { to }, send),
      ),
    name,
    {
      onMoved: ({ id, node, backend }) => {
        const host = backendId(node, backend);
        moved.push({ id, host });
        progress.update(`node ${name}: ${plural(moved.length, 'volume')} moved`);
        progress.clear();
        if (!output.json) lines.push(output.line(waitsForEnd(options) ? `${id} ${host}` : id));
      },
      onFailed: report,
      onUnreadable: ({ id, reason }) => report(id, errors.recordUnreadable(`volume ${id}`, reason)),
    },
  ).finally(() => progress.end());
  await Promise.all(lines);
  if (output.json) await output.document({ node: name, [waitsForEnd(options) ? 'moved' : 'moving']: moved, failed });
  else if (moved.length + failed.length === 0) output.note(`node ${name} has no volumes to move, and takes none now`);
  else if (failed.length > 0) output.note(`${plural(failed.length, 'volume')} of node ${name} did not move`);
  if (failure) process.exitCode = exitCodes[failure.kind];
}

/** The node takes volumes again. Throws NodeNotFound. */
export async function openNode(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  await setClosed(session.store, name, false);
  if (output.json) await output.document({ node: name, closed: false });
  else await output.line(`node ${name} takes volumes`);
}
