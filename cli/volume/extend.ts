import { findVolume } from '../../lib/models/find-volume.ts';
import type { AttachedVolume } from '../../lib/models/attachment.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Context } from '../context.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { withHostLock } from './host-lock.ts';
import { activeAttachments } from './meant-attachment.ts';
import { LocalDevice } from './local-device.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, defaultTimeoutMs, sendOptions, waitsForEnd } from './wait-options.ts';

/**
 * Prints the id. Where this host has the volume, its device, and the disk of its domain, have the new size then; the command can be
 * repeated there for one that was extended from elsewhere.
 */
export async function extendVolume(
  context: Context,
  reference: string,
  size: number,
  options: ChangeOptions,
): Promise<void> {
  const { output, interrupts } = context;
  await using session = await context.open();
  const { id } = await findVolume(session.store, reference);
  const volume = await interrupts.during('extension', id, () =>
    withProgress(output, session.store, id, () => session.commands.extend(id, size, sendOptions(options))),
  );
  if (waitsForEnd(options) && volume.attachStatus === 'attached')
    await growOnHosts(context, session.store, volume, options);
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}

async function growOnHosts(context: Context, store: Store, volume: VolumeState, options: ChangeOptions): Promise<void> {
  for (const one of await activeAttachments(store, volume)) await growOnHost(context, one, options);
}

async function growOnHost({ output }: Context, volume: AttachedVolume, { timeout }: ChangeOptions): Promise<void> {
  const { id, size, use } = volume;
  const note = (text: string) => output.note(text);
  if (await LocalDevice.isHere(volume)) {
    const timeoutMs = timeout ?? defaultTimeoutMs;
    await withHostLock(id, { timeoutMs }, () => new LocalDevice(volume, { note }).grow({ timeoutMs }));
  } else if (LocalDevice.isConnected(volume)) {
    note(`host ${use.hostName} sees the new size when it looks again: blockstore volume extend ${id} ${size}, there`);
  }
}
