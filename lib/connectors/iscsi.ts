import { existsSync } from 'node:fs';
import { pollUntil } from '../concurrency.ts';
import { errors } from '../errors.ts';
import {
  type IscsiAddress,
  formatIscsiAddress,
  hasOwnSerials,
  portalText,
  scsiIdentityOf,
  tryParseIscsiAddress,
} from '../iscsi/address.ts';
import type { Processes } from '../process.ts';
import { hasSizeOf } from '../volume-size.ts';
import { BlockDevices, grownSize, namedPath, poll, stays } from './block-device.ts';
import type { ConnectOptions, Connection, Connector, DisconnectOptions, RevalidateOptions } from './connector.ts';
import { initiatorOfHost, requireInitiatorName } from './initiator-name.ts';
import { completeRecord, hasRecord, recordDirectories, removeRecords } from './iscsi-record.ts';
import { loadModules, notRoot } from './kernel-modules.ts';
import { type IscsiDisk, type IscsiSession, sessionsWith } from './iscsi-sessions.ts';
import { Iscsiadm, unreachable } from './iscsiadm.ts';
import { silenceOf } from './portal-answer.ts';

/** Of the initiator: the transport and the driver of disks, which no udev may be there to load. */
const modules = ['iscsi_tcp', 'sd_mod'];
const missingModules =
  'run a kernel with CONFIG_ISCSI_TCP and CONFIG_BLK_DEV_SD; after an upgrade of the kernel, restart this host';
/** How long iscsid may refuse to end a session that it tries to connect again. */
const refusalMs = 10_000;
/** How often a device that is to grow is asked for its size. */
const rescanMs = 2000;
const seeKernel = 'see "dmesg" and "journalctl --unit iscsid" of this host';

export interface IscsiConnectorOptions {
  processes: Processes;
  /** Called with what a person should know, although it is no error. */
  note?: (text: string) => void;
  /** Default: those of the host. */
  places?: Partial<IscsiPlaces>;
}

/** Where the host has what the connector reads. */
interface IscsiPlaces {
  system: string;
  devices: string;
  udev: string;
  initiatorName: string;
  records: readonly string[];
}

const hostPlaces: IscsiPlaces = {
  system: '/sys',
  devices: '/dev',
  udev: '/run/udev/control',
  initiatorName: '/etc/iscsi/initiatorname.iscsi',
  records: recordDirectories,
};

/**
 * Connects volumes by open-iscsi: one session with the volume's own target at its one portal. The device is known by the serial number
 * of the volume, whatever its name is. Requires root.
 */
export class IscsiConnector implements Connector {
  readonly name = 'iscsi';
  readonly otherHost = 'another initiator name';
  private readonly processes: Processes;
  private readonly devices: BlockDevices;
  private readonly adm: Iscsiadm;
  private readonly note: (text: string) => void;
  private readonly places: IscsiPlaces;

  constructor({ processes, note = () => {}, places = {} }: IscsiConnectorOptions) {
    this.processes = processes;
    this.devices = new BlockDevices({ processes, note });
    this.adm = new Iscsiadm(processes);
    this.note = note;
    this.places = { ...hostPlaces, ...places };
  }

  /** The link that udev makes. It contains the name of the target, and so the volume's id; numbers of disks change hands. */
  devicePath(address: string): string {
    const { ip, port, targetName, lun } = addressOf(address);
    return `${this.places.devices}/disk/by-path/ip-${ip}:${port}-iscsi-${targetName}-lun-${lun}`;
  }

  async isOnHost(address: string): Promise<boolean> {
    const { targetName } = addressOf(address);
    const { system, records } = this.places;
    return (await sessionsWith(targetName, system)).some(isOfUse) || hasRecord(targetName, records);
  }

  async hostsToAdmit(volume: string): Promise<string[]> {
    return [await requireInitiatorName(volume, this.places.initiatorName)];
  }

  async isAdmitted(hosts: readonly string[]): Promise<boolean> {
    const own = await initiatorOfHost(this.places.initiatorName);
    return 'name' in own ? hosts.includes(own.name) : own.isHidden === true;
  }

  /**
   * What an earlier attachment left is removed first, with its secret, unless it can be of this one. A failure leaves nothing behind.
   */
  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const at = addressOf(address);
    const name = options.id ?? at.targetName;
    const { system } = this.places;
    const staysConnected = options.mayBeInUse === true && (await sessionsWith(at.targetName, system)).some(isOfUse);
    if (staysConnected) return this.examine(name, at, options);
    await loadModules(this.processes, name, { names: modules, system: this.places.system, hint: missingModules });
    await this.release(name, at, { ...options, isClosed: true });
    await this.waitForPortal(name, at, options);
    try {
      await this.logIn(name, at, options);
      return await this.examine(name, at, options);
    } catch (error) {
      // The first error is what a person must know; the caller's clean-up says what stays.
      await this.release(name, at, { isClosed: true }).catch(() => {});
      throw error;
    }
  }

  async disconnect(address: string, options: DisconnectOptions = {}): Promise<void> {
    const at = addressOf(address);
    await this.release(at.targetName, at, options);
  }

  async revalidate(address: string, options: RevalidateOptions = {}): Promise<number> {
    const at = addressOf(address);
    const sessions = (await sessionsWith(at.targetName, this.places.system)).filter(isOfUse);
    if (sessions.length === 0) throw errors.connectorFailed(at.targetName, 'it is not connected', 'connect it first');
    let askedAt = -Infinity;
    return grownSize(at.targetName, options, {
      readSize: async () => {
        // A target that serves its volume anew meanwhile has not answered the first time.
        if (performance.now() - askedAt >= rescanMs) {
          for (const { number } of sessions) await this.adm.rescan(at.targetName, at, number);
          askedAt = performance.now();
        }
        return (await this.disksOf(at))[0]?.bytes;
      },
      hint: 'detach and attach the volume: a running export does not notice that its device grew',
    });
  }

  private async logIn(name: string, at: IscsiAddress, { chap, signal }: ConnectOptions): Promise<void> {
    await this.adm.newRecord(name, at);
    const { system, records } = this.places;
    // Beside those that iscsid did not end.
    const sessions = (await sessionsWith(at.targetName, system)).length + 1;
    if (!(await completeRecord(at, { chap, sessions }, records))) {
      if (process.getuid?.() !== 0) throw notRoot(name);
      const reason = `iscsiadm has made no record of the target in ${records.join(' or ')}`;
      throw errors.connectorFailed(name, reason, 'use the open-iscsi of a distribution, which has its records there');
    }
    signal?.throwIfAborted();
    await this.adm.login(name, at);
    signal?.throwIfAborted();
  }

  /** The device of the session is the volume's, and answers. */
  private async examine(name: string, at: IscsiAddress, options: ConnectOptions): Promise<Connection> {
    const { sizeBytes, readOnly = false, signal } = options;
    const disk = await this.waitForDisk(name, at, options);
    if (!hasSizeOf(disk.bytes, sizeBytes)) {
      const reason = `its target has ${disk.bytes} bytes, the volume has ${sizeBytes}`;
      throw errors.connectorFailed(name, reason, 'an export was not restarted: see "blockstore audit"');
    }
    const path = this.kernelPath(disk);
    await this.devices.setReadOnly(name, path, readOnly);
    await this.devices.readOnce(name, path, signal);
    return { devicePath: await namedPath(this.devicePath(formatIscsiAddress(at)), path, this.places.udev, signal) };
  }

  /** Throws ConnectorFailed for none in time, and for one of another volume. */
  private async waitForDisk(name: string, at: IscsiAddress, options: ConnectOptions): Promise<IscsiDisk> {
    const { id } = options;
    const isAnonymous = id === undefined || hasOwnSerials(at.targetName);
    const expected = isAnonymous ? undefined : scsiIdentityOf(id).serial;
    let found: IscsiDisk | undefined;
    const isThere = await poll(options, async () => {
      found = (await this.disksOf(at)).find((disk) => existsSync(this.kernelPath(disk)));
      return found !== undefined && (expected === undefined || found.serial !== undefined);
    });
    if (found && isThere && (expected === undefined || found.serial === expected)) return found;
    if (!found) {
      throw errors.connectorFailed(name, `the kernel has made no disk of unit ${at.lun} of its target`, seeKernel);
    }
    const serial = found.serial === undefined ? 'no serial number' : `the serial number ${found.serial}`;
    throw errors.connectorFailed(
      name,
      `the disk of its target (${this.kernelPath(found)}) has ${serial}: it is not the volume`,
      'find what else listens on the portal of the node, or changes its targets; then attach again',
    );
  }

  /** No device and no record of the target are left on this host. Throws DeviceInUse, ConnectorFailed. */
  private async release(name: string, at: IscsiAddress, options: DisconnectOptions): Promise<void> {
    const { system, records } = this.places;
    const sessions = (await sessionsWith(at.targetName, system)).filter(isOfUse);
    for (const session of sessions) {
      for (const disk of session.disks) {
        const path = this.kernelPath(disk);
        await this.devices.refuseWhileUsed(disk.name, path);
        // What nobody has open was written at its last close; this is the cache of the device.
        if (session.isLoggedIn && options.isClosed !== true) await this.devices.flush(name, path);
      }
      await this.end(name, at, session, options);
    }
    const isGone = async () => !(await sessionsWith(at.targetName, system)).some(isOfUse);
    if (!(await poll(options, isGone))) throw stays(sessions[0]?.disks.map((disk) => this.kernelPath(disk))[0] ?? name);
    if (!(await hasRecord(at.targetName, records))) return;
    if ((await sessionsWith(at.targetName, system)).length > 0) await removeRecords(at.targetName, records);
    else await this.adm.deleteRecords(name, at);
  }

  /**
   * A target that is gone, as after a forced detachment, leaves a session that iscsid tries to connect for ever, and that some versions
   * refuse to end. Without its device it does nothing: its secret is that of an attachment that has ended.
   */
  private async end(
    name: string,
    at: IscsiAddress,
    session: IscsiSession,
    { timeoutMs = refusalMs }: DisconnectOptions,
  ): Promise<void> {
    const hasEnded = () => this.adm.logout(name, at, session.number);
    const limits = { deadlineMs: Math.min(timeoutMs, refusalMs), intervalMs: 50, maxIntervalMs: 500 };
    if ((await pollUntil(hasEnded, limits)) === true) return;
    if (session.isLoggedIn) {
      throw errors.connectorFailed(name, `iscsid does not end session ${session.number} of its target`, seeKernel);
    }
    for (const disk of session.disks) {
      await this.devices.remove(name, `${this.places.system}/block/${disk.name}/device/delete`);
    }
    this.note(
      `iscsid goes on trying to log in to ${at.targetName}, session ${session.number}, until this host restarts or ` +
        'the session is ended: iscsiadm --mode session --sid ' +
        `${session.number} --logout`,
    );
  }

  private async disksOf({ targetName, lun }: IscsiAddress): Promise<IscsiDisk[]> {
    const sessions = await sessionsWith(targetName, this.places.system);
    return sessions.flatMap(({ disks }) => disks.filter((disk) => disk.lun === lun));
  }

  private kernelPath({ name }: IscsiDisk): string {
    return `${this.places.devices}/${name}`;
  }

  private async waitForPortal(name: string, at: IscsiAddress, options: ConnectOptions): Promise<void> {
    const silence = await silenceOf(at, options);
    if (silence === undefined) return;
    const [reason, hint] = unreachable(portalText(at), silence);
    throw errors.connectorFailed(name, reason, hint);
  }
}

/** One without either is what iscsid did not end. */
function isOfUse({ isLoggedIn, disks }: IscsiSession): boolean {
  return isLoggedIn || disks.length > 0;
}

/** Throws InvalidArgument. */
function addressOf(text: string): IscsiAddress {
  const address = tryParseIscsiAddress(text);
  if (address) return address;
  throw errors.invalidArgument('iSCSI address', text, 'of the form <ip>:<port>,<portal group> <target name> <LUN>');
}
