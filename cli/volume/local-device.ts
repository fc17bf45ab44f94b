import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import type { ConnectOptions, Connector, DisconnectOptions, WaitOptions } from '../../lib/connectors/connector.ts';
import { type DetachOptions, LibvirtDomains, diskTarget } from '../../lib/connectors/libvirt.ts';
import { connectorOf, connectorOfHosts } from '../../lib/connectors/registry.ts';
import { LuksDevice, type OpenOptions } from '../../lib/encryption/luks.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import { BlockstoreError, asError, errors } from '../../lib/errors.ts';
import { absentAs } from '../../lib/files.ts';
import { readMachineId } from '../../lib/machine.ts';
import type { AttachedVolume } from '../../lib/models/attachment.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { libvirtUriOf } from './libvirt-uri.ts';

export interface LocalDeviceOptions {
  /** The libvirt connection of its domain. Default: the one that it was attached through. */
  libvirtUri?: string | undefined;
  /** Called with what a person should know, although it is no error. */
  note: (text: string) => void;
  /** Of a volume that is encrypted and is to be connected. */
  encryption?: Encryption | undefined;
}

/** What opens an encrypted volume. */
export interface Encryption {
  passphrase: string;
  /** Called when the volume has been formatted, which happens once. */
  onFormat: () => Promise<void>;
}

type LocalConnectOptions = Pick<ConnectOptions, 'mayBeInUse' | 'signal'> & { endpoint: string };

/** An attached volume as a block device of this host, and a disk of one of its libvirt domains. */
export class LocalDevice {
  /** Where it is, or will be; '' for a volume of a target that this host cannot connect, and for one that only guests reach. */
  readonly path: string;
  /** What the definition of its domain names it by. */
  private readonly diskName: string;
  private readonly volume: AttachedVolume;
  private readonly connector: Connector | undefined;
  /** That of the connector: of an encrypted volume the cipher text. */
  private readonly devicePath: string;
  private readonly luks: LuksDevice | undefined;
  private readonly encryption: Encryption | undefined;
  /** Where connect() has found it. */
  private foundPath = '';
  private readonly libvirtUri: string;
  private readonly domains: LibvirtDomains;
  private readonly note: (text: string) => void;

  constructor(volume: AttachedVolume, { libvirtUri, note, encryption }: LocalDeviceOptions) {
    const processes = new ChildProcesses();
    this.volume = volume;
    this.note = note;
    this.connector = connectorOf(volume.address, { processes, note });
    this.encryption = encryption;
    this.luks = volume.encryptionKey === '' ? undefined : new LuksDevice(volume.id, processes);
    this.devicePath = this.connector?.devicePath(volume.address) ?? '';
    this.path = this.devicePath === '' ? '' : (this.luks?.path ?? this.devicePath);
    const network = this.luks ? undefined : this.connector?.network;
    this.diskName = network?.nameOf(volume.address) ?? this.path;
    this.libvirtUri = libvirtUriOf(libvirtUri, volume.use.libvirtUri);
    this.domains = new LibvirtDomains({ uri: this.libvirtUri }, { processes });
  }

  /** Whether a host connected the volume itself (`attach --host-device` or `--domain`), whichever host, or may have, as Redis lost it. */
  static isConnected(volume: AttachedVolume): boolean {
    const { hostId, domain, isRestored } = volume.use;
    return hostId !== '' || domain !== '' || isHostDevice(volume) || isRestored;
  }

  /**
   * Whether the attachment is this host's, whatever its name is now, unless it has no machine id. Clones can have one machine id, and one
   * name: this one must be the host that was admitted, by an Ethernet address or the initiator name. That alone is known of an
   * attachment that Redis has lost.
   */
  static async isHere(volume: AttachedVolume): Promise<boolean> {
    const { hostId, hostName, hosts, isRestored } = volume.use;
    const isAdmitted = () => connectorOfHosts(hosts, { processes: new ChildProcesses() })?.isAdmitted(hosts);
    if (isRestored) return (await isAdmitted()) ?? false;
    const isNamedSo = hostId === '' ? hostName === hostname() : hostId === (await readMachineId()).machine;
    // The addresses of another attachment are not its host's, but what --mac or --initiator gave.
    if (!isNamedSo || !LocalDevice.isConnected(volume)) return isNamedSo;
    return (await isAdmitted()) ?? true;
  }

  /** What the host of the attachment is known by, where it has the name of this one; '' = nothing. */
  static otherHostOf({ use: { hosts } }: AttachedVolume): string {
    const connector = connectorOfHosts(hosts, { processes: new ChildProcesses() });
    return connector === undefined ? '' : `${connector.otherHost} than this one (${hosts.join(', ')})`;
  }

  /**
   * Before the volume is attached: what this host still has of an earlier volume at this address would be let into this one.
   * Throws DeviceInUse.
   */
  async clear(): Promise<void> {
    await this.leaveHost({ isClosed: true });
  }

  /** Returns the device, or '' where a guest reaches the volume without one. Throws ConnectorFailed, DeviceInUse. */
  async connect(given: LocalConnectOptions): Promise<string> {
    const { id, address, size, chap } = this.volume;
    const { domain, mode } = this.volume.use;
    if (this.connector === undefined) {
      throw errors.connectorFailed(id, 'it has no address', 'wait until it is created: blockstore volume wait');
    }
    if (domain !== '' && this.connector.network && !this.luks) return '';
    const options = { ...given, id, chap, sizeBytes: sizeInBytes(size), readOnly: mode === 'ro' };
    this.foundPath = (await this.connector.connect(address, options)).devicePath;
    if (!this.luks) return this.foundPath;
    await this.openEncrypted(this.luks, this.foundPath, { readOnly: mode === 'ro', signal: given.signal });
    return this.luks.path;
  }

  /** Throws DomainFailed, CommandNotFound; ConnectorFailed where its definition would name a device that can be another one later. */
  async giveToDomain({ endpoint }: LocalConnectOptions): Promise<void> {
    const { id, address, limits } = this.volume;
    const { domain, mountpoint, mode } = this.volume.use;
    const options = { readOnly: mode === 'ro', serial: id, limits };
    const { network } = this.connector ?? {};
    if (network && !this.luks) {
      const source = network.sourceOf(id, address, endpoint);
      return this.domains.attach(domain, source, diskTarget(mountpoint), options);
    }
    if (!this.luks && this.foundPath !== this.path) {
      const reason = `the device has no name that stays, ${this.path}, but ${this.foundPath}`;
      throw errors.connectorFailed(id, reason, 'run udev on this host, which makes it');
    }
    return this.domains.attach(domain, this.path, diskTarget(mountpoint), options);
  }

  /** The device of this host, or the disk of its domain's guest, has the size of the record. Throws ConnectorFailed, DomainFailed. */
  async grow(options: WaitOptions): Promise<void> {
    const { address, size } = this.volume;
    const { domain } = this.volume.use;
    const sizeBytes = sizeInBytes(size);
    if (await this.isOnHost()) await this.connector?.revalidate(address, { ...options, sizeBytes });
    const plainBytes = this.luks?.isOpen ? await this.luks.grow() : sizeBytes;
    if (domain !== '') await this.domains.resize(domain, this.diskName, plainBytes);
  }

  /** Out of its domain, then off this host; absent is success. Throws DeviceInUse, DomainFailed, CommandNotFound. */
  async disconnect(options: DetachOptions = {}): Promise<void> {
    const { force = false } = options;
    const isOfHost = this.volume.use.domain === '' && LocalDevice.isConnected(this.volume);
    if (isOfHost && !force) await this.refuseDomains();
    await this.takeFromDomain(options);
    await this.leaveHost({ isClosed: force }, { force });
    if (isOfHost && force) await this.refuseDomains();
  }

  /**
   * For a volume that is the host's own device, also one that is to be: a domain that was given the device by hand, or whose definition
   * is left of an earlier volume, opens it at its next start. Throws DeviceInUse. A libvirt that does not answer is only noted: without
   * it no domain starts.
   */
  async refuseDomains(): Promise<void> {
    if (this.path === '') return;
    const uses = await this.domains.disksOn(this.path).catch(async (error: unknown) => {
      const { code, message } = asError(error);
      if (code !== 'CommandNotFound' && (await mayHaveDefinitions())) {
        this.note(`whether a domain of libvirt has ${this.path} is unknown: ${message}`);
      }
      return [];
    });
    if (uses.length === 0) return;
    const texts = uses.map(
      ({ name, target, release }) => `disk ${target} of domain ${name} (to release it: ${release})`,
    );
    throw errors.deviceInUse(this.path, texts);
  }

  /**
   * Undoes what connect() and giveToDomain() did. libvirt is asked only where it may have a disk; a device that stays on this host
   * reaches nothing once the export is closed. Throws DomainFailed.
   */
  async undo(note: (text: string) => void): Promise<void> {
    if (this.domains.mayHaveDisk(this.volume.use.domain)) await this.takeFromDomain({ force: true });
    await this.leaveHost({ isClosed: true }).catch((error: unknown) =>
      note(`${this.path} stays on this host: ${String(error)}`),
    );
  }

  /**
   * A recorded domain is asked whether or not the device is there: its definition may name the device of an address that another
   * volume has next. An instance that libvirt does not know has no disk to release, a host device without a domain has none either,
   * whatever its mount point is.
   */
  private async takeFromDomain(options: DetachOptions): Promise<void> {
    const { domain, instanceId, libvirtUri } = this.volume.use;
    if (domain !== '') {
      const released = await unlessUnknown(this.domains.detach(domain, this.diskName, options).then(() => true));
      if (released || libvirtUri === '' || libvirtUri === this.libvirtUri) return;
      throw errors.domainNotThere(domain, this.libvirtUri, libvirtUri);
    } else if (mayNameDomain(this.volume) && (await this.isOnHost())) {
      const found = await unlessUnknown(this.domains.lookup(instanceId), 'CommandNotFound');
      if (found) await this.domains.detach(found.uuid, this.path, options);
    }
  }

  /** Throws EncryptionKeyMissing, EncryptionKeyWrong, NotEncrypted, EncryptionFailed. */
  private async openEncrypted(luks: LuksDevice, device: string, options: Pick<OpenOptions, 'readOnly' | 'signal'>) {
    const { encryption } = this;
    if (!encryption) throw errors.noEncryptionKey(this.volume.id, 'none was given');
    const { passphrase, onFormat } = encryption;
    await luks.open(device, { ...options, passphrase, isNew: !this.volume.isFormatted }, onFormat);
  }

  private async leaveHost(options: DisconnectOptions, { force = false } = {}): Promise<void> {
    await this.luks?.close({ force });
    if (await this.isOnHost()) await this.connector?.disconnect(this.volume.address, options);
  }

  private async isOnHost(): Promise<boolean> {
    return (await this.connector?.isOnHost(this.volume.address)) ?? false;
  }
}

/** Whether `attach --host-device` made the attachment, on whichever host. */
function isHostDevice({ id, use: { mountpoint }, address }: AttachedVolume): boolean {
  const connector = connectorOf(address, { processes: new ChildProcesses() });
  if (connector === undefined || mountpoint === '') return false;
  return mountpoint === connector.devicePath(address) || mountpoint === mapperOf(id);
}

/** Where the plain text of an encrypted volume is on each host. */
export function mapperOf(volume: string): string {
  return new LuksDevice(volume, new ChildProcesses()).path;
}

/** Whether QEMU domains are defined on this host, or this user may not see it. */
async function mayHaveDefinitions(): Promise<boolean> {
  const names = await absentAs([], readdir('/etc/libvirt/qemu')).catch(() => undefined);
  return names === undefined || names.some((name) => name.endsWith('.xml'));
}

/** Whether the instance of an attachment can be a domain of this host. */
function mayNameDomain(volume: AttachedVolume): boolean {
  return volume.use.hostId === '' && !isHostDevice(volume) && !volume.use.isRestored;
}

async function unlessUnknown<T>(work: Promise<T>, ...more: string[]): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BlockstoreError && ['DomainNotFound', ...more].includes(error.code)) return undefined;
    throw error;
  }
}
