import { existsSync } from 'node:fs';
import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { type RbdAddress, rbdName, tryParseRbdAddress } from '../rbd/address.ts';
import { type RbdEndpoint, tryParseEndpoint } from '../rbd/connection.ts';
import { reasonIn } from '../rbd/failures.ts';
import { hasSizeOf } from '../volume-size.ts';
import { BlockDevices, grownSize, namedPath, poll, stays } from './block-device.ts';
import type { ConnectOptions, Connection, Connector, DisconnectOptions, RevalidateOptions } from './connector.ts';
import { loadModules, notRoot } from './kernel-modules.ts';
import { rbdDisks, unknownEndpoint } from './network-disks.ts';
import { type RbdMapping, mappingsOf } from './rbd-mappings.ts';

const seeKernel = 'see "dmesg" of this host: it says what the kernel and Ceph, or the image, do not agree on';
const useDomain = 'for a guest of this host: --domain';
const missingModule = `run a kernel with CONFIG_BLK_DEV_RBD (on Debian linux-image-amd64, not the cloud kernel); ${useDomain}`;
/** How long rbd, and the kernel, wait for a monitor. Without a key they would wait for ever. */
const mountSeconds = 15;
const commandMs = 60_000;
const ebusy = 16;

export interface RbdConnectorOptions {
  processes: Processes;
  /** Called with what a person should know, although it is no error. */
  note?: (text: string) => void;
  /** Default: those of the host. */
  places?: Partial<RbdPlaces>;
}

/** Where the host has what the connector reads. */
interface RbdPlaces {
  system: string;
  devices: string;
  udev: string;
}

const hostPlaces: RbdPlaces = { system: '/sys', devices: '/dev', udev: '/run/udev/control' };

/**
 * Maps images of Ceph as block devices of the kernel, with the key of the node's user that this host has as well. Guests reach images
 * by themselves. Requires root.
 */
export class RbdConnector implements Connector {
  readonly name = 'rbd';
  readonly otherHost = '';
  readonly network = rbdDisks;
  private readonly processes: Processes;
  private readonly devices: BlockDevices;
  private readonly places: RbdPlaces;

  constructor({ processes, note = () => {}, places = {} }: RbdConnectorOptions) {
    this.processes = processes;
    this.devices = new BlockDevices({ processes, note });
    this.places = { ...hostPlaces, ...places };
  }

  /** The link that udev makes by the rules of ceph-common. */
  devicePath(address: string): string {
    return `${this.places.devices}/rbd/${rbdName(addressOf(address))}`;
  }

  async isOnHost(address: string): Promise<boolean> {
    return (await this.mappings(addressOf(address))).length > 0;
  }

  /** Ceph admits whoever has the key of the user. */
  async hostsToAdmit(_volume: string): Promise<string[]> {
    return [];
  }

  async isAdmitted(_hosts: readonly string[]): Promise<boolean> {
    return true;
  }

  async requireDevices(volume: string): Promise<void> {
    const { system } = this.places;
    // Part of the kernel, it is no module.
    if (!existsSync(`${system}/bus/rbd`)) {
      await loadModules(this.processes, volume, { names: ['rbd'], system, hint: missingModule });
    }
    await this.rbd(volume, ['--version']);
  }

  /** What an earlier attachment left is removed first, unless it can be of this one. A failure leaves nothing behind. */
  async connect(text: string, options: ConnectOptions = {}): Promise<Connection> {
    const at = addressOf(text);
    const name = options.id ?? at.image;
    const endpoint = tryParseEndpoint(options.endpoint ?? '');
    if (endpoint === undefined) throw unknownEndpoint(name, 'the monitors of Ceph');
    await this.requireDevices(name);
    const isKept = options.mayBeInUse === true && (await this.isOnHost(text));
    if (isKept) return this.examine(name, at, endpoint, options);
    await this.disconnect(text, options);
    try {
      await this.map(name, at, endpoint, options);
      return await this.examine(name, at, endpoint, options);
    } catch (error) {
      // The first error is what a person must know; the caller's clean-up says what stays.
      await this.disconnect(text).catch(() => {});
      throw error;
    }
  }

  /** Also mappings that somebody made by hand: they are of the volume that is detached. */
  async disconnect(text: string, options: DisconnectOptions = {}): Promise<void> {
    const at = addressOf(text);
    for (const { device } of await this.mappings(at)) {
      const path = this.kernelPath(device);
      await this.devices.refuseWhileUsed(device, path);
      // The last close has written what was in the host's cache, and unmapping waits for what is under way.
      await this.unmap(at.image, path);
    }
    const isGone = async () => (await this.mappings(at)).length === 0;
    if (!(await poll(options, isGone))) throw stays(this.devicePath(text));
  }

  /** The kernel watches the image, and needs no request. */
  async revalidate(text: string, options: RevalidateOptions = {}): Promise<number> {
    const at = addressOf(text);
    if (!(await this.isOnHost(text))) throw errors.connectorFailed(at.image, 'it is not connected', 'connect it first');
    return grownSize(at.image, options, {
      readSize: async () => (await this.mappings(at))[0]?.bytes,
      hint: 'see "dmesg" of this host, and "rbd info" of the image',
    });
  }

  private async map(
    name: string,
    at: RbdAddress,
    { protocol, hosts, ports, auth_username: user }: RbdEndpoint,
    { readOnly = false, signal }: ConnectOptions,
  ): Promise<void> {
    const prefix = protocol === 'v2' ? 'v2:' : '';
    const monitors = hosts.map((host, index) => `${prefix}${host.includes(':') ? `[${host}]` : host}:${ports[index]}`);
    const access = ['--id', user, '--mon-host', monitors.join(','), '--client-mount-timeout', String(mountSeconds)];
    // A client of its own: what Ceph does to it concerns no other image of this host.
    const options = ['noshare', `mount_timeout=${mountSeconds}`, ...this.withoutUdev];
    // Encrypted where the cluster requires it. Kernels before 5.11 do not know the option, and use protocol 1.
    if (protocol === 'v2') options.push('ms_mode=prefer-crc');
    const mode = readOnly ? ['--read-only'] : [];
    await this.rbd(name, [...access, 'device', 'map', rbdName(at), ...mode, '--options', options.join(',')], signal);
  }

  private async unmap(name: string, path: string): Promise<void> {
    const options = this.withoutUdev.length === 0 ? [] : ['--options', this.withoutUdev.join(',')];
    await this.rbd(name, ['device', 'unmap', ...options, path]);
  }

  /** rbd waits for udev, where there is none as well. */
  private get withoutUdev(): string[] {
    return existsSync(this.places.udev) ? [] : ['noudev'];
  }

  /** The device is the volume's, and answers. */
  private async examine(
    name: string,
    at: RbdAddress,
    { fsid }: RbdEndpoint,
    options: ConnectOptions,
  ): Promise<Connection> {
    const { sizeBytes, readOnly = false, signal } = options;
    const mapping = await this.waitForMapping(name, at, options);
    if (mapping.fsid !== '' && mapping.fsid !== fsid) {
      const reason = `the device of ${rbdName(at)} is of the Ceph cluster ${mapping.fsid}, the volume of ${fsid}`;
      throw errors.connectorFailed(name, reason, 'unmap the other image, or correct /etc/ceph/ceph.conf of this host');
    }
    if (!hasSizeOf(mapping.bytes, sizeBytes)) {
      const reason = `its image has ${mapping.bytes} bytes, the volume has ${sizeBytes}`;
      throw errors.connectorFailed(name, reason, 'somebody changed the image: see "blockstore audit" and "rbd info"');
    }
    const path = this.kernelPath(mapping.device);
    await this.devices.setReadOnly(name, path, readOnly);
    await this.devices.readOnce(name, path, signal);
    const address = `rbd:${rbdName(at)}`;
    return { devicePath: await namedPath(this.devicePath(address), path, this.places.udev, signal) };
  }

  private async waitForMapping(name: string, at: RbdAddress, options: ConnectOptions): Promise<RbdMapping> {
    let found: RbdMapping | undefined;
    const isThere = await poll(options, async () => {
      found = (await this.mappings(at)).find(({ device }) => existsSync(this.kernelPath(device)));
      return found !== undefined;
    });
    if (found && isThere) return found;
    throw errors.connectorFailed(name, `the kernel has made no device of ${rbdName(at)}`, seeKernel);
  }

  private mappings(at: RbdAddress): Promise<RbdMapping[]> {
    return mappingsOf(at, this.places.system);
  }

  private kernelPath(device: string): string {
    return `${this.places.devices}/${device}`;
  }

  /** Throws ConnectorFailed, DeviceInUse, CommandNotFound. */
  private async rbd(name: string, args: readonly string[], signal?: AbortSignal): Promise<void> {
    try {
      await this.processes.run('rbd', args, { asRoot: true, timeoutMs: commandMs, ...(signal ? { signal } : {}) });
    } catch (error) {
      if (!(error instanceof CommandError) || error.failure.cancelled) throw error;
      const { notFound, timedOut, exitCode, stderr } = error.failure;
      if (notFound) throw errors.commandMissing('rbd', 'ceph-common');
      if (stderr.includes('sudo:')) throw notRoot(name);
      if (args.includes('unmap') && exitCode === ebusy) throw stays(args.at(-1) ?? '');
      const keyring = /no keyring found at (.*?),* disabling cephx/.exec(stderr)?.[1];
      if (keyring !== undefined) {
        const user = args[args.indexOf('--id') + 1] ?? '';
        const hint = `write it to the first of them on this host: ceph auth get client.${user}`;
        throw errors.connectorFailed(name, `no keyring of the Ceph user client.${user} is found at ${keyring}`, hint);
      }
      const reason = timedOut ? `rbd has not ended within ${commandMs / 1000} s` : reasonIn(stderr);
      throw errors.connectorFailed(name, reason, seeKernel);
    }
  }
}

/** Throws InvalidArgument. */
function addressOf(text: string): RbdAddress {
  const address = tryParseRbdAddress(text);
  if (address) return address;
  throw errors.invalidArgument('address on Ceph', text, 'of the form rbd:<pool>/volume-<id>');
}
