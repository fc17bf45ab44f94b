import { hostname } from 'node:os';
import type { Connector } from '../../lib/connectors/connector.ts';
import { LibvirtDomains, diskTarget } from '../../lib/connectors/libvirt.ts';
import { connectorOf, connectorOfTarget } from '../../lib/connectors/registry.ts';
import type { Domain } from '../../lib/connectors/virsh.ts';
import { passphraseOf } from '../../lib/encryption/passphrase.ts';
import { type BlockstoreError, asError, errors } from '../../lib/errors.ts';
import { readMachineId } from '../../lib/machine.ts';
import { backendId, endpointOf } from '../../lib/models/backend.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { type AttachedVolume, type Attachment, usersOf, withAttachment } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { sameHosts } from '../../lib/targets/hosts.ts';
import type { Context } from '../context.ts';
import type { Session } from '../session.ts';
import { type Admission, checkExport, hostOption, hostsGiven, targetOfVolume } from './admission.ts';
import { withProgress } from './follow.ts';
import { checkLibvirtUri } from './libvirt-uri.ts';
import { withHostLock } from './host-lock.ts';
import { type Encryption, LocalDevice, mapperOf } from './local-device.ts';
import { heldHere } from './meant-attachment.ts';
import { repeatsAttachment } from './own-attachment.ts';
import { volumeJson } from './present.ts';
import { withHost } from './host.ts';
import { type ChangeOptions, defaultTimeoutMs, waitsForEnd, sendOptions } from './wait-options.ts';

export interface AttachOptions extends ChangeOptions, Admission {
  instance?: string;
  mountpoint?: string;
  host?: string;
  hostDevice?: boolean;
  domain?: string;
  keyFile?: string;
  libvirtUri: string;
}

/** Of a backend that has not reported. */
const defaultTarget = 'aoe';

/** Until the volume has an address. */
const placeholder = '/dev/blockstore';

/** Requests to attach a volume whose address changes meanwhile. */
const maxTries = 3;

/** Prints the id, or with --host-device the device. */
export async function attachVolume(context: Context, reference: string, options: AttachOptions): Promise<void> {
  checkOptions(options);
  const isLocal = options.hostDevice === true || options.domain !== undefined;
  await (isLocal ? attachHere : attachElsewhere)(context, reference, options);
}

async function attachElsewhere(context: Context, reference: string, given: AttachOptions): Promise<void> {
  const { output, interrupts } = context;
  await using session = await context.open();
  const state = await findVolume(session.store, reference);
  const options = withMode(given, state);
  const { instance = '', mountpoint = '', host, mode } = options;
  const { id } = state;
  await checkExport(session.store, state, options);
  const hosts = hostsGiven(options);
  const attachment: Attachment = {
    instanceId: instance,
    mountpoint,
    mode,
    ...(host === undefined ? {} : { hostName: host }),
    ...(hosts === undefined ? {} : { hosts }),
  };
  const work = () => session.commands.attach(id, attachment, sendOptions(options));
  const volume = await interrupts.during(
    'attachment',
    id,
    () => withProgress(output, session.store, id, work),
    errors.attachmentInterrupted,
  );
  if (output.json) await output.document(volumeJson(await withHost(session.store, volume)));
  else await output.line(volume.id);
}

/** A failure or Ctrl-C after the record was made undoes it: the cluster would have it in use where it is not. */
async function attachHere(context: Context, reference: string, given: AttachOptions): Promise<void> {
  const { output, interrupts } = context;
  const note = (text: string) => output.note(text);
  const domain = given.domain === undefined ? undefined : await domainOf(given.domain, given.libvirtUri);
  await using session = await context.open();
  const state = await findVolume(session.store, reference);
  const options = withMode(given, state);
  const target = await targetOfVolume(session.store, state);
  if (state.address === '' && target === 'none') throw unconnectable(state.id);
  await checkExport(session.store, state, options);
  if (domain === undefined) await connectorFor(state, target)?.requireDevices?.(state.id);
  const timeoutMs = options.timeout ?? defaultTimeoutMs;
  const connected = await interrupts.undoable('attachment', (signal) =>
    withProgress(output, session.store, state.id, () =>
      withHostLock(state.id, { timeoutMs, signal }, () =>
        attachAndConnect(session, state.id, { options, domain, target, note, signal }),
      ).catch((error: unknown) => {
        if (error === signal.reason) return undefined;
        throw error;
      }),
    ),
  );
  if (connected === undefined) throw errors.attachmentUndone(state.id);
  const { volume, path } = connected;
  if (output.json)
    await output.document({ ...volumeJson(await withHost(session.store, volume)), device: path || null });
  else await output.line(options.hostDevice ? path : volume.id);
}

/** A read-only volume is attached so without being asked. */
function withMode(options: AttachOptions, { isReadOnly }: VolumeState): AttachOptions & { mode: 'rw' | 'ro' } {
  return { ...options, mode: options.mode ?? (isReadOnly ? 'ro' : 'rw') };
}

interface Connected {
  volume: AttachedVolume;
  /** '' where a guest reaches the volume without a device. */
  path: string;
}

/** Throws the signal's reason where it was aborted, and nothing is left. */
async function attachAndConnect(session: Session, id: string, local: LocalAttach): Promise<Connected> {
  const { options, domain, note, signal } = local;
  const { libvirtUri } = options;
  const state = await heldHere(session.store, await findVolume(session.store, id));
  const encryption = encryptionOf(session, state, options.keyFile);
  const isRepeated = await repeatsAttachment(state, { ...options, domain, hosts: hostsGiven(options) });
  // This host has it all the while: its record says so, or Redis has lost that. What fails then is not undone.
  const isAgain = isRepeated || state.use.isRestored;
  const volume = isRepeated ? state : await attachCleared(session, state, local);
  const device = new LocalDevice(volume, { libvirtUri, note, encryption });
  try {
    signal.throwIfAborted();
    const endpoint = await endpointOf(session.store, backendId(volume.node, volume.backend));
    const given = { endpoint, mayBeInUse: isAgain, signal };
    const path = await device.connect(given);
    if (domain !== undefined) await device.giveToDomain(given);
    signal.throwIfAborted();
    if (isRepeated) await refuseEnded(session, device, volume, note);
    return { volume, path };
  } catch (error) {
    if (isAgain && signal.aborted) throw errors.connectionInterrupted(id);
    if (isAgain) throw error;
    await undo(session, device, volume, error, note);
    signal.throwIfAborted();
    throw error;
  }
}

/**
 * Another host may have it by now, where somebody detached it while this one connected. Throws VolumeNotAttached, VolumeNotFound; this
 * host has disconnected it then.
 */
async function refuseEnded(
  session: Session,
  device: LocalDevice,
  { id, use }: AttachedVolume,
  note: (text: string) => void,
): Promise<void> {
  const found = await volumesOf(session.store).find(id);
  const now = found && (await withAttachment(session.store, found, use.id));
  if (now?.attachments.includes(use.id) && now.use.status !== 'detaching') return;
  await device.undo(note);
  if (now === undefined) throw errors.volumeNotFound(id);
  if (now.attachStatus === 'detached') throw errors.volumeNotAttached(id);
  throw errors.attachmentEnded(id, await usersOf(session.store, now));
}

function unconnectable(volume: string): BlockstoreError {
  const hint =
    'its backend has volume_target = none: hosts connect to volumes of every other target, for Ceph of volume_target = rbd';
  return errors.connectorFailed(volume, 'it has no address', hint);
}

interface LocalAttach {
  options: AttachOptions & { mode: 'rw' | 'ro' };
  domain: Domain | undefined;
  /** Of the volume's backend, where it has reported. */
  target: string | undefined;
  note: (text: string) => void;
  signal: AbortSignal;
}

/**
 * Attaches the volume when this host has nothing at its address any more. One that gets another address by that, or that was attached when
 * it was read, is refused, and tried again when this host has nothing there either.
 */
async function attachCleared(session: Session, state: AttachedVolume, local: LocalAttach): Promise<AttachedVolume> {
  const { options, domain, note } = local;
  let volume = state;
  for (let tries = 1; ; tries += 1) {
    const attachment = await localAttachment(volume, local);
    // While another command attaches it, the device can be that command's; this one is refused.
    const isFree = volume.use.id === '';
    if (isFree) {
      const device = new LocalDevice(volume, { ...options, note });
      if (domain === undefined) await device.refuseDomains();
      await device.clear();
    }
    try {
      return await session.commands.attach(volume.id, attachment, {
        ...sendOptions(options),
        examined: isFree || isRestoredHere(volume, attachment) ? volume.address : '',
      });
    } catch (thrown) {
      if (tries === maxTries || asError(thrown).code !== 'AddressChanged') throw lateAttachment(volume.id, thrown);
      volume = await heldHere(session.store, await findVolume(session.store, volume.id));
    }
  }
}

/** Redis had lost the attachment of this host: the device at the address is that of the volume. */
function isRestoredHere({ use }: AttachedVolume, { hosts = [] }: Attachment): boolean {
  return use.isRestored && sameHosts(use.hosts, hosts);
}

function checkOptions(options: AttachOptions): void {
  const { instance, mountpoint, domain, hostDevice, mac, initiator, nqn } = options;
  const wrong = (message: string) => errors.usage(message, 'blockstore volume attach');
  if ([mac, initiator, nqn].filter((hosts) => hosts !== undefined).length > 1) {
    throw wrong('--mac is for AoE, --initiator for iSCSI and --nqn for NVMe: give one of them');
  }
  const isLocal = hostDevice === true || domain !== undefined;
  if (isLocal && !waitsForEnd(options)) throw wrong('--host-device and --domain need the attachment to be waited for');
  if (hostDevice) return;
  if (mountpoint === undefined) throw wrong('option "--mountpoint <device>" is missing');
  if (domain !== undefined) {
    diskTarget(mountpoint);
    checkLibvirtUri(options.libvirtUri);
  }
  if (domain === undefined && instance === undefined) {
    throw wrong('one of the options "--instance <instance>", "--domain <domain>" and "--host-device" is missing');
  }
}

/** Looked up once: names and ids can change hands, the UUID cannot. */
function domainOf(reference: string, uri: string): Promise<Domain> {
  return new LibvirtDomains({ uri }, { processes: new ChildProcesses() }).lookup(reference);
}

/** A volume that had another target before gets an address of the present one. */
function connectorFor({ address }: VolumeState, target = defaultTarget): Connector | undefined {
  const context = { processes: new ChildProcesses() };
  return connectorOf(address, context) ?? connectorOfTarget(target, context);
}

async function localAttachment(volume: VolumeState, { options, domain, target }: LocalAttach): Promise<Attachment> {
  const { instance, mountpoint, host = hostname(), mode, libvirtUri } = options;
  const connector = connectorFor(volume, target);
  if (connector === undefined) throw unconnectable(volume.id);
  return {
    instanceId: instance ?? domain?.name ?? hostname(),
    mountpoint: mountpoint ?? defaultMountpoint(volume, connector),
    mode,
    hostName: host,
    hostId: (await readMachineId()).machine,
    hosts: await hostsOf(volume.id, options, connector),
    ...(domain === undefined ? {} : { domain: domain.uuid, libvirtUri }),
  };
}

/** An initiator or NVMe host has one name, and what is given must be it; of its Ethernet addresses a host may be known by some alone. */
async function hostsOf(volume: string, options: AttachOptions, connector: Connector) {
  if (options.mac) return options.mac;
  const own = await connector.hostsToAdmit(volume);
  const given = hostsGiven(options);
  const option = hostOption(options);
  if (given === undefined || option === undefined) return own;
  if (own.some((name) => given.includes(name))) return given;
  throw errors.connectorFailed(volume, `it is ${own.join(', ')}, which ${option} does not admit`, `omit ${option}`);
}

/** Before anything changes. Undefined for a volume that is not encrypted. Throws EncryptionKeyMissing. */
function encryptionOf(
  { flags, commands }: Session,
  { id, encryptionKey }: VolumeState,
  keyFile = flags.encryption_key_file,
): Encryption | undefined {
  if (encryptionKey === '') return undefined;
  const passphrase = passphraseOf(keyFile, id, encryptionKey);
  return { passphrase, onFormat: async () => void (await commands.update(id, { isFormatted: true })) };
}

/** A volume without an address gets one by a first request, which is refused. */
function defaultMountpoint({ id, address, encryptionKey }: VolumeState, connector: Connector): string {
  if (encryptionKey !== '') return mapperOf(id);
  return address === '' ? placeholder : connector.devicePath(address);
}

/** The node may end the attach later, when nobody connects the volume to this host any more. */
function lateAttachment(volume: string, thrown: unknown): BlockstoreError {
  const error = asError(thrown);
  return error.code === 'NotFinished' ? errors.attachmentLate(volume, error.message) : error;
}

/** Ends the attachment that this command made, and no other one that the volume has by now. Throws AttachmentStays. */
async function undo(
  session: Session,
  device: LocalDevice,
  volume: AttachedVolume,
  error: unknown,
  note: (text: string) => void,
): Promise<void> {
  const notes: string[] = [];
  try {
    await device.undo((text) => notes.push(text));
    await session.commands.detach(volume.id, { deadlineMs: defaultTimeoutMs, attachment: volume.use.id });
    // Only now: a terminal that is gone ends the program.
    for (const text of notes) note(text);
  } catch (second) {
    if (asError(second).code === 'VolumeNotAttached') return; // somebody else detached it meanwhile
    throw errors.attachmentStays(volume.id, asError(error).message, asError(second).message);
  }
}
