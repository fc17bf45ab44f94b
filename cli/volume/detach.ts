import { hostname } from 'node:os';
import { asError, errors } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import type { Output } from '../output.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { checkLibvirtUri } from './libvirt-uri.ts';
import { LocalDevice } from './local-device.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, sendOptions } from './wait-options.ts';

export interface DetachOptions extends ChangeOptions {
  force?: boolean;
  libvirtUri?: string;
}

/**
 * Prints the id. Only the attachment that the volume has now is detached: releasing its device can take minutes, and another host may
 * attach the volume meanwhile. A device of this host is disconnected first, for what is mounted must be written. With --force the
 * export is closed first, and what still uses the device is said.
 */
export async function detachVolume(context: Context, reference: string, options: DetachOptions): Promise<void> {
  const { output, interrupts } = context;
  const note = (text: string) => output.note(text);
  const { force = false, libvirtUri } = options;
  if (libvirtUri !== undefined) checkLibvirtUri(libvirtUri);
  await using session = await context.open();
  const state = await findVolume(session.store, reference, { byBeginning: !force });
  const isHere = await LocalDevice.isHere(state);
  if (!isHere && !force && LocalDevice.isConnected(state)) {
    if (state.isAttachmentRestored) throw errors.hostLost(state.id, state.attachHosts);
    const others = state.hostName === hostname() ? LocalDevice.otherHostOf(state) : '';
    throw errors.deviceElsewhere(state.id, state.hostName, others);
  }
  const device = isHere ? new LocalDevice(state, { libvirtUri, note }) : undefined;
  if (device && !force) {
    await interrupts.during('release', state.id, () => device.disconnect(), errors.releaseInterrupted);
  }
  const volume = await interrupts.during('detachment', state.id, () =>
    withProgress(output, session.store, state.id, () =>
      session.commands.detach(state.id, { ...sendOptions(options), attachment: state }),
    ),
  );
  if (force) await device?.disconnect({ force }).catch((thrown: unknown) => reportLeft(output, thrown));
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}

/** The volume is detached all the same: what uses the device here reaches no data any more. */
function reportLeft(output: Output, thrown: unknown): void {
  const { message, hint } = asError(thrown);
  output.note(`detached, but not cleaned up on this host: ${message}`);
  if (hint !== undefined) output.note(`  ${hint}`);
}
