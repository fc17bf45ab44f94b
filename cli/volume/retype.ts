import { findType } from '../../lib/models/find-type.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { followProgress } from './follow-progress.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { volumeJson } from './present.ts';
import type { ChangeOptions } from './wait-options.ts';

export interface RetypeOptions extends ChangeOptions {
  /** Whether it may move to a backend that meets the type. */
  migrate?: boolean;
}

/** Prints the id. */
export async function retypeVolume(
  context: Context,
  reference: string,
  typeReference: string,
  options: RetypeOptions,
): Promise<void> {
  const { output, interrupts } = context;
  const { migrate: mayMigrate = false } = options;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const type = await findType(session.store, typeReference);
  const volume = await interrupts.during('migration', id, () =>
    withProgress(output, session.store, id, () =>
      followProgress(session, id, options, 'migrate', (send) =>
        session.migrations.retype(id, type.id, { ...send, mayMigrate }),
      ),
    ),
  );
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}
