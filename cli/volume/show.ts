import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { withHost } from './host.ts';
import { volumeFacts, volumeJson } from './present.ts';

export async function showVolume(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const volume = await withHost(session.store, await findVolume(session.store, reference));
  if (output.json) await output.document(volumeJson(volume));
  else await writeFacts(output, volumeFacts(volume));
}
