import { errors } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { Context } from '../context.ts';
import { withProgress } from './follow.ts';
import { LocalDevice } from './local-device.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, sendOptions } from './wait-options.ts';

export interface DetachOptions extends ChangeOptions {
  force?: boolean;
  libvirtUri: string;
}

/** Prints the id. */
export async function detachVolume(context: Context, typed: string, options: DetachOptions): Promise<void> {
  const { output, interrupts } = context;
  await using session = await context.open();
  const { state } = await findVolume(session.store, typed);
  if (LocalDevice.isHere(state)) await new LocalDevice(state, options.libvirtUri).disconnect();
  else if (LocalDevice.isHostDevice(state) && !options.force) throw errors.deviceElsewhere(state.id, state.hostName);
  const volume = await interrupts.during('detachment', state.id, () =>
    withProgress(output, session.store, state.id, () => session.commands.detach(state.id, sendOptions(options))),
  );
  if (output.json) await output.document(volumeJson(volume));
  else await output.line(volume.id);
}
