import { existsSync } from 'node:fs';
import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import { portalText } from '../iscsi/address.ts';
import { type NvmeAddress, nvmeIdentityOf, tryParseNvmeAddress, volumeNamespace } from '../nvme/address.ts';
import type { Processes } from '../process.ts';
import { hasSizeOf } from '../volume-size.ts';
import { BlockDevices, grownSize, namedPath, poll, stays } from './block-device.ts';
import type { ConnectOptions, Connection, Connector, DisconnectOptions, RevalidateOptions } from './connector.ts';
import { nqnOfHost, requireHostNqn } from './host-nqn.ts';
import { loadModules } from './kernel-modules.ts';
import { type NvmeController, type NvmeDisk, controllersOf, disksOf } from './nvme-controllers.ts';
import { silenceOf } from './portal-answer.ts';

const modules = ['nvme_tcp'];
const missingModules = 'run a kernel with CONFIG_NVME_TCP; after an upgrade of the kernel, restart this host';
/** Longer than the kernel tries to connect, or to tell a target that it leaves. */
const commandMs = 90_000;
/** After so many seconds without the target reads and writes fail, as with AoE. The device stays, and works again with the target. */
const failSeconds = 180;
const seeKernel = 'see "dmesg" of this host';

export interface NvmeConnectorOptions {
  processes: Processes;
  /** Called with what a person should know, although it is no error. */
  note?: (text: string) => void;
  /** Default: those of the host. */
  places?: Partial<NvmePlaces>;
}

/** Where the host has what the connector reads. */
interface NvmePlaces {
  system: string;
  devices: string;
  udev: string;
  hostNqn: string;
}

const hostPlaces: NvmePlaces = {
  system: '/sys',
  devices: '/dev',
  udev: '/run/udev/control',
  hostNqn: '/etc/nvme/hostnqn',
};

/**
 * Connects volumes by nvme-cli and the kernel: one connection with the volume's own subsystem at its one portal. The device is known by
 * the UUID of its namespace, which is the volume's id. Requires root.
 */
export class NvmeConnector implements Connector {
  readonly name = 'nvme';
  readonly otherHost = 'another host NQN';
  private readonly processes: Processes;
  private readonly devices: BlockDevices;
  private readonly places: NvmePlaces;

  constructor({ processes, note = () => {}, places = {} }: NvmeConnectorOptions) {
    this.processes = processes;
    this.devices = new BlockDevices({ processes, note });
    this.places = { ...hostPlaces, ...places };
  }

  /** The link that udev makes. It contains the volume's id; numbers of devices change hands. */
  devicePath(address: string): string {
    return `${this.places.devices}/disk/by-id/nvme-uuid.${addressOf(address).volume}`;
  }

  async isOnHost(address: string): Promise<boolean> {
    return this.has(addressOf(address));
  }

  async hostsToAdmit(volume: string): Promise<string[]> {
    return [await requireHostNqn(volume, this.places.hostNqn)];
  }

  async isAdmitted(hosts: readonly string[]): Promise<boolean> {
    const own = await nqnOfHost(this.places.hostNqn);
    return 'name' in own && hosts.includes(own.name);
  }

  /**
   * What an earlier attachment left is removed first, unless it can be of this one: two nodes that had the volume one after the other
   * would be two ways to one device. A failure leaves nothing behind.
   */
  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const at = addressOf(address);
    const name = options.id ?? at.volume;
    const isKept = options.mayBeInUse === true && (await this.isConnectedThere(at));
    if (isKept) return this.examine(name, at, options);
    const hostNqn = await requireHostNqn(name, this.places.hostNqn);
    await loadModules(this.processes, name, { names: modules, system: this.places.system, hint: missingModules });
    await this.release(name, at, { ...options, isClosed: true });
    await this.waitForPortal(name, at, options);
    try {
      await this.run(name, at, connectArguments(at, hostNqn));
      options.signal?.throwIfAborted();
      return await this.examine(name, at, options);
    } catch (error) {
      // The first error is what a person must know; the caller's clean-up says what stays.
      await this.release(name, at, { isClosed: true }).catch(() => {});
      throw error;
    }
  }

  async disconnect(address: string, options: DisconnectOptions = {}): Promise<void> {
    const at = addressOf(address);
    await this.release(at.volume, at, options);
  }

  async revalidate(address: string, options: RevalidateOptions = {}): Promise<number> {
    const at = addressOf(address);
    const live = (await this.controllers(at)).filter(({ isLive }) => isLive);
    if (live.length === 0) throw errors.connectorFailed(at.volume, 'it is not connected', 'connect it first');
    for (const { name } of live) await this.run(at.volume, at, ['ns-rescan', `${this.places.devices}/${name}`]);
    return grownSize(at.volume, options, {
      readSize: async () => (await this.disk(at))?.bytes,
      hint: 'detach and attach the volume: its export does not notice that its device grew',
    });
  }

  private controllers({ nqn }: NvmeAddress): Promise<NvmeController[]> {
    return controllersOf(nqn, this.places.system);
  }

  private async disk({ nqn }: NvmeAddress): Promise<NvmeDisk | undefined> {
    return (await disksOf(nqn, this.places.system)).find(({ namespace }) => namespace === volumeNamespace);
  }

  private async has(at: NvmeAddress): Promise<boolean> {
    return (await this.controllers(at)).length > 0 || (await disksOf(at.nqn, this.places.system)).length > 0;
  }

  private async isConnectedThere(at: NvmeAddress): Promise<boolean> {
    const found = await this.controllers(at);
    return found.length > 0 && found.every(({ portal }) => portal?.ip === at.ip && portal.port === at.port);
  }

  /** The device is the volume's, and answers. */
  private async examine(name: string, at: NvmeAddress, options: ConnectOptions): Promise<Connection> {
    const { sizeBytes, readOnly = false, signal } = options;
    const disk = await this.waitForDisk(name, at, options);
    if (!hasSizeOf(disk.bytes, sizeBytes)) {
      const reason = `its target has ${disk.bytes} bytes, the volume has ${sizeBytes}`;
      throw errors.connectorFailed(name, reason, 'an export was not restarted: see "blockstore audit"');
    }
    const path = this.kernelPath(disk);
    for (const controller of await this.controllers(at)) await this.limitWaiting(name, controller);
    await this.devices.setReadOnly(name, path, readOnly);
    await this.devices.readOnce(name, path, signal);
    const link = `${this.places.devices}/disk/by-id/nvme-uuid.${at.volume}`;
    return { devicePath: await namedPath(link, path, this.places.udev, signal) };
  }

  /** Before Linux 5.11 the kernel has no such limit: I/O waits for the target. */
  private async limitWaiting(name: string, controller: NvmeController): Promise<void> {
    const file = `${this.places.system}/class/nvme/${controller.name}/fast_io_fail_tmo`;
    if (existsSync(file)) await this.devices.writeTo(name, file, String(failSeconds));
  }

  /** Throws ConnectorFailed for none in time, and for one of another volume. */
  private async waitForDisk(name: string, at: NvmeAddress, options: ConnectOptions): Promise<NvmeDisk> {
    const { uuid } = nvmeIdentityOf(at.volume);
    let found: NvmeDisk | undefined;
    const isThere = await poll(options, async () => {
      found = await this.disk(at);
      return found !== undefined && found.bytes > 0 && existsSync(this.kernelPath(found));
    });
    if (!found) throw errors.connectorFailed(name, 'the kernel has made no device of its namespace', seeKernel);
    if (isThere && found.uuid === uuid) return found;
    if (!isThere) {
      throw errors.connectorFailed(name, `${this.kernelPath(found)} has not appeared, or is empty`, seeKernel);
    }
    throw errors.connectorFailed(
      name,
      `the device of its subsystem (${this.kernelPath(found)}) has ${found.uuid ? `the UUID ${found.uuid}` : 'no UUID'}: it is not the volume`,
      'find what else listens on the portal of the node, or changes its subsystems; then attach again',
    );
  }

  /** No device and no connection is left on this host. Throws DeviceInUse, ConnectorFailed. */
  private async release(name: string, at: NvmeAddress, options: DisconnectOptions): Promise<void> {
    const controllers = await this.controllers(at);
    const disks = await disksOf(at.nqn, this.places.system);
    for (const disk of disks) {
      const path = this.kernelPath(disk);
      await this.devices.refuseWhileUsed(disk.name, path);
      // What nobody has open was written at its last close; this is the cache of the device.
      const isLive = controllers.some((controller) => controller.isLive);
      if (isLive && options.isClosed !== true) await this.devices.flush(name, path);
    }
    if (controllers.length > 0) await this.run(name, at, ['disconnect', `--nqn=${at.nqn}`]);
    const isGone = async () => !(await this.has(at));
    if (!(await poll(options, isGone))) throw stays(disks[0] ? this.kernelPath(disks[0]) : name);
  }

  private kernelPath({ name }: NvmeDisk): string {
    return `${this.places.devices}/${name}`;
  }

  private async waitForPortal(name: string, at: NvmeAddress, options: ConnectOptions): Promise<void> {
    const silence = await silenceOf(at, options);
    if (silence === undefined) return;
    throw errors.connectorFailed(
      name,
      `the portal ${portalText(at)} does not answer: ${silence}`,
      'see that the node of the volume is up ("blockstore node list") and exports by NVMe, and that routes and firewalls ' +
        'between this host and the portal are right',
    );
  }

  /** A Ctrl-C on the terminal must not end it: the kernel would go on, and the device be there after it was looked for. */
  private async run(name: string, at: NvmeAddress, args: readonly string[]): Promise<void> {
    try {
      await this.processes.run('setsid', ['--wait', 'nvme', ...args], { asRoot: true, timeoutMs: commandMs });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { notFound, stderr, stdout, timedOut } = error.failure;
      const said = `${stdout}\n${stderr}`
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => line !== '');
      const isMissing = said.some((line) => /setsid: failed to execute nvme/.test(line));
      if (notFound || isMissing) throw errors.commandMissing('nvme', 'nvme-cli');
      if (args[0] === 'connect' && said.some((line) => /Input\/output error/.test(line))) {
        throw errors.connectorFailed(
          name,
          `the target at ${portalText(at)} does not admit this host, or does not export the volume there`,
          'see that "blockstore volume show" has the host NQN of this host (/etc/nvme/hostnqn), and that no other command ' +
            'has attached the volume anew meanwhile; "dmesg" of this host has the reason',
        );
      }
      const reason = timedOut ? `nvme ${args[0]} has not ended within ${commandMs / 1000} s` : said.join('; ');
      throw errors.connectorFailed(name, reason || error.message, seeKernel);
    }
  }
}

/** Without a limit of time for the target to return: a device that went would not come back with it. */
function connectArguments({ ip, port, nqn }: NvmeAddress, hostNqn: string): string[] {
  return [
    'connect',
    '--transport=tcp',
    `--traddr=${ip}`,
    `--trsvcid=${port}`,
    `--nqn=${nqn}`,
    `--hostnqn=${hostNqn}`,
    '--ctrl-loss-tmo=-1',
  ];
}

/** Throws InvalidArgument. */
function addressOf(text: string): NvmeAddress {
  const address = tryParseNvmeAddress(text);
  if (address) return address;
  throw errors.invalidArgument('NVMe address', text, 'of the form <ip>:<port> tcp <NQN> 1');
}
