import { cancelMigration } from '../../lib/client/cancel-migration.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { followProgress } from './follow-progress.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, sendOptions } from './wait-options.ts';

export interface MigrateOptions extends ChangeOptions {
  to?: string;
  cancel?: true;
}

/** Prints the id, and the place that the volume has then. Ctrl-C ends the waiting alone. */
export async function migrateVolume(context: Context, reference: string, options: MigrateOptions): Promise<void> {
  const { output, interrupts } = context;
  const { to, cancel = false } = options;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const request = to === undefined ? {} : { to };
  const work = cancel
    ? () => cancelMigration(session, id, sendOptions(options))
    : () => followProgress(session, id, options, 'migrate', (send) => session.migrations.migrate(id, request, send));
  const volume = await interrupts.during(cancel ? 'cancellation of the migration' : 'migration', id, () =>
    withProgress(output, session.store, id, work),
  );
  const hosted = await withHost(session.store, volume);
  if (output.json) await output.document(volumeJson(hosted));
  else await output.line(volume.task ? volume.id : `${volume.id} ${hosted.host}`);
}
