import { hostname } from 'node:os';
import { asError, errors } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { AttachedVolume } from '../../lib/models/attachment.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Context } from '../context.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { withProgress } from './follow.ts';
import { withHost } from './host.ts';
import { withHostLock } from './host-lock.ts';
import { checkLibvirtUri } from './libvirt-uri.ts';
import { LocalDevice } from './local-device.ts';
import { meantAttachment } from './meant-attachment.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, defaultTimeoutMs, sendOptions } from './wait-options.ts';

export interface DetachOptions extends ChangeOptions {
  force?: boolean;
  instance?: string;
  libvirtUri?: string;
}

/**
 * Prints the id. Only the attachment that the volume has now is detached: releasing its device can take minutes, and another host may
 * attach the volume meanwhile. A device of this host is disconnected first, for what is mounted must be written. With --force the
 * export is closed first, and what still uses the device is said.
 */
export async function detachVolume(context: Context, reference: string, options: DetachOptions): Promise<void> {
  const { output } = context;
  const { force = false, libvirtUri, timeout: timeoutMs = defaultTimeoutMs } = options;
  if (libvirtUri !== undefined) checkLibvirtUri(libvirtUri);
  await using session = await context.open();
  const find = async (what: string, byBeginning: boolean) =>
    meantAttachment(session.store, await findVolume(session.store, what, { byBeginning }), {
      instance: options.instance,
      force,
    });
  const found = await find(reference, !force);
  // A command that connects the volume to this host ends first, and its device is seen then.
  const isLocked = !force && (await LocalDevice.isHere(found)) && LocalDevice.isConnected(found);
  const volume = isLocked
    ? await withHostLock(found.id, { timeoutMs }, async () =>
        detach(context, session, await find(found.id, true), options),
      )
    : await detach(context, session, found, options);
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}

async function detach(
  { output, interrupts }: Context,
  session: Session,
  state: AttachedVolume,
  options: DetachOptions,
): Promise<VolumeState> {
  const { force = false, libvirtUri } = options;
  const note = (text: string) => output.note(text);
  const isHere = await LocalDevice.isHere(state);
  if (!isHere && !force && LocalDevice.isConnected(state)) {
    const { isRestored, hosts, hostName } = state.use;
    if (isRestored) throw errors.hostLost(state.id, hosts);
    const others = hostName === hostname() ? LocalDevice.otherHostOf(state) : '';
    throw errors.deviceElsewhere(state.id, hostName, others);
  }
  const device = isHere ? new LocalDevice(state, { libvirtUri, note }) : undefined;
  if (device && !force) {
    await interrupts.during('release', state.id, () => device.disconnect(), errors.releaseInterrupted);
  }
  const work = () => session.commands.detach(state.id, { ...sendOptions(options), attachment: state.use.id });
  const volume = await interrupts.during(
    'detachment',
    state.id,
    () => withProgress(output, session.store, state.id, work),
    errors.attachmentInterrupted,
  );
  if (force) await device?.disconnect({ force }).catch((thrown: unknown) => reportLeft(output, thrown));
  return volume;
}

/** The volume is detached all the same: what uses the device here reaches no data any more. */
function reportLeft(output: Output, thrown: unknown): void {
  const { message, hint } = asError(thrown);
  output.note(`detached, but not cleaned up on this host: ${message}`);
  if (hint !== undefined) output.note(`  ${hint}`);
}
