import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { devicePath, kernelName } from '../../lib/aoe/address.ts';
import { AoeConnector } from '../../lib/connectors/aoe.ts';
import { LibvirtDomains } from '../../lib/connectors/libvirt.ts';
import { BlockstoreError, errors } from '../../lib/errors.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { ChildProcesses } from '../../lib/process.ts';

/** An attached volume as a block device of this host, and a disk of one of its libvirt domains. */
export class LocalDevice {
  readonly path: string;
  private readonly volume: VolumeState;
  private readonly connector: AoeConnector;
  private readonly domains: LibvirtDomains;

  constructor(volume: VolumeState, libvirtUri: string) {
    const processes = new ChildProcesses();
    this.volume = volume;
    this.path = volume.aoeDevice === '' ? '' : devicePath(volume.aoeDevice);
    this.connector = new AoeConnector({ processes });
    this.domains = new LibvirtDomains({ uri: libvirtUri }, { processes });
  }

  /** Whether `attach --host-device` made the attachment, on whichever host. */
  static isHostDevice({ mountpoint, aoeDevice }: VolumeState): boolean {
    return aoeDevice !== '' && mountpoint === devicePath(aoeDevice);
  }

  /** Whether the attachment is this host's. */
  static isHere(volume: VolumeState): boolean {
    return volume.hostName === hostname();
  }

  /** Throws ConnectorFailed. */
  async connect(): Promise<string> {
    return (await this.connector.connect(this.address())).devicePath;
  }

  /** Throws DomainFailed, CommandNotFound. */
  giveTo(domain: string, target: string): Promise<void> {
    return this.domains.attach(domain, this.path, target);
  }

  /** Out of its domain, then off this host; absent is success. Throws DeviceInUse, DomainFailed. */
  async disconnect(): Promise<void> {
    const { aoeDevice } = this.volume;
    if (aoeDevice === '' || !existsSync(`/sys/block/${kernelName(aoeDevice)}`)) return;
    if (!LocalDevice.isHostDevice(this.volume)) await this.takeFromDomain();
    await this.connector.disconnect(aoeDevice);
  }

  /** An instance that libvirt does not know has no disk to give back: whatever else uses the device is seen later. */
  private async takeFromDomain(): Promise<void> {
    try {
      await this.domains.detach(this.volume.instanceId, this.path);
    } catch (error) {
      if (!(error instanceof BlockstoreError)) throw error;
      const isUnknown = error.code === 'CommandNotFound' || /failed to get domain/.test(error.message);
      if (!isUnknown) throw error;
    }
  }

  private address(): string {
    const { aoeDevice, id } = this.volume;
    if (aoeDevice !== '') return aoeDevice;
    throw errors.connectorFailed(id, 'it has no AoE address', 'wait until it is created: blockstore volume wait');
  }
}
