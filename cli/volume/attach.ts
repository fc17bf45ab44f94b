import { hostname } from 'node:os';
import { basename } from 'node:path';
import { devicePath } from '../../lib/aoe/address.ts';
import { asError, errors } from '../../lib/errors.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Attachment } from '../../lib/models/volume.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { withProgress } from './follow.ts';
import { LocalDevice } from './local-device.ts';
import { volumeJson } from './present.ts';
import { type ChangeOptions, defaultTimeoutMs, waitsForEnd, sendOptions } from './wait-options.ts';

export interface AttachOptions extends ChangeOptions {
  instance?: string;
  mountpoint?: string;
  host?: string;
  mode: 'rw' | 'ro';
  mac?: readonly string[];
  hostDevice?: boolean;
  domain?: string;
  libvirtUri: string;
}

/** Prints the id, or with --host-device the device. */
export async function attachVolume(context: Context, typed: string, options: AttachOptions): Promise<void> {
  const { output, interrupts } = context;
  const isLocal = options.hostDevice === true || options.domain !== undefined;
  checkOptions(options, isLocal);
  await using session = await context.open();
  const { state } = await findVolume(session.store, typed);
  const attachment = attachmentOf(state, options, isLocal);
  const [volume, device] = await interrupts.during('attachment', state.id, () =>
    withProgress(output, session.store, state.id, async () => {
      const attached = await session.commands.attach(state.id, attachment, sendOptions(options));
      return [attached, isLocal ? await connectHere(session, attached, options) : undefined];
    }),
  );
  if (output.json) await output.document({ ...volumeJson(volume), ...(device === undefined ? {} : { device }) });
  else await output.line(options.hostDevice && device !== undefined ? device : volume.id);
}

function checkOptions(options: AttachOptions, isLocal: boolean): void {
  const { instance, mountpoint, domain, hostDevice } = options;
  const wrong = (message: string) => errors.usage(message, 'blockstore volume attach');
  if (isLocal && !waitsForEnd(options)) throw wrong('--host-device and --domain need the attachment to be waited for');
  if (hostDevice) return;
  if (mountpoint === undefined) throw wrong('option "--mountpoint <device>" is missing');
  if (instance === undefined && domain === undefined) {
    throw wrong('one of the options "--instance <instance>", "--domain <domain>" and "--host-device" is missing');
  }
}

function attachmentOf(volume: VolumeState, options: AttachOptions, isLocal: boolean): Attachment {
  const { instance, mountpoint, host, mode, mac, domain } = options;
  const hostName = host ?? (isLocal ? hostname() : undefined);
  return {
    instanceId: instance ?? domain ?? hostname(),
    mountpoint: mountpoint ?? devicePath(volume.aoeDevice),
    mode,
    ...(hostName === undefined ? {} : { hostName }),
    ...(mac === undefined ? {} : { macs: mac }),
  };
}

/** What fails here must not stay attached: the cluster would have it in use where it is not. */
async function connectHere(session: Session, volume: VolumeState, options: AttachOptions): Promise<string> {
  const device = new LocalDevice(volume, options.libvirtUri);
  try {
    const path = await device.connect();
    if (options.domain !== undefined) await device.giveTo(options.domain, basename(volume.mountpoint));
    return path;
  } catch (error) {
    try {
      await device.disconnect();
      await session.commands.detach(volume.id, { deadlineMs: defaultTimeoutMs });
    } catch (second) {
      throw errors.attachmentStays(volume.id, asError(error).message, asError(second).message);
    }
    throw error;
  }
}
