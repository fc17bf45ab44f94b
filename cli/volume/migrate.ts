import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { followProgress } from './follow-progress.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import type { ChangeOptions } from './wait-options.ts';

export interface MigrateOptions extends ChangeOptions {
  to?: string;
}

/** Prints the id, and the place that the volume has then. */
export async function migrateVolume(context: Context, reference: string, options: MigrateOptions): Promise<void> {
  const { output, interrupts } = context;
  const { to } = options;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const request = to === undefined ? {} : { to };
  const volume = await interrupts.during('migration', id, () =>
    withProgress(output, session.store, id, () =>
      followProgress(session, id, options, 'migrate', (send) => session.migrations.migrate(id, request, send)),
    ),
  );
  const hosted = await withHost(session.store, volume);
  if (output.json) await output.document(volumeJson(hosted));
  else await output.line(volume.task ? volume.id : `${volume.id} ${hosted.host}`);
}
