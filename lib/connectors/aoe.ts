import { existsSync } from 'node:fs';
import { deviceDirectory, devicePath, formatAddress, kernelName, parseAddress } from '../aoe/address.ts';
import { CommandError } from '../command-error.ts';
import { visibleUsers } from '../devices/users.ts';
import { BlockstoreError, errors } from '../errors.ts';
import { readAttribute } from '../files.ts';
import { Discovery } from '../targets/aoe/discover.ts';
import type { Processes } from '../process.ts';
import { hasSizeOf } from '../volume-size.ts';
import { firstMachineOf, interfacesOf, isKnown, isUp, sizeOf } from './aoe-device.ts';
import { BlockDevices, grownSize, poll, stays } from './block-device.ts';
import type { ConnectOptions, Connection, Connector, RevalidateOptions, WaitOptions } from './connector.ts';
import { addressesToAdmit, hasAdmittedAddresses } from './host-addresses.ts';

/** Interval of repeated queries: a query or its reply can be lost. */
const discoverEveryMs = 1000;
/** Maximum delay of the reply to a query. */
const settleMs = 250;
/** How long the answer of a known device's target is waited for before the device counts as another volume's. */
const renewMs = 3000;
/** How long the requests that a target has lost may take to be sent again. */
const lostRequestsMs = 60_000;
/** How long a second machine has to answer at the address of a device. */
const secondAnswerMs = 100;

const noControlDevice = 'see that the module aoe is loaded and that /dev is a devtmpfs or udev runs';
const missingModule = 'run a kernel with CONFIG_ATA_OVER_ETH (on Debian linux-image-amd64, not the cloud kernel)';
/** By what modprobe prints. */
const moduleHints: readonly (readonly [RegExp, string])[] = [
  [
    /not permitted|Permission denied/,
    'allow this host to load modules: see kernel.modules_disabled, and load aoe outside of a container',
  ],
  [/install command/, 'remove the line "install aoe" from the files in /etc/modprobe.d'],
  [/[Kk]ey /, 'sign the module with a key that Secure Boot accepts, or run a kernel of the distribution'],
  [/not found in directory/, `${missingModule}; after an upgrade of the kernel, restart this host`],
];

/**
 * Controls the kernel's AoE initiator through the devices of its module: /dev/etherd/{discover,flush,revalidate}. It queries
 * every Ethernet interface that is up, unless the module was loaded with aoe_iflist. Requires root.
 */
export class AoeConnector implements Connector {
  readonly name = 'aoe';
  readonly otherHost = 'other Ethernet addresses';
  private readonly processes: Processes;
  private readonly devices: BlockDevices;

  constructor({ processes, note = () => {} }: { processes: Processes; note?: (text: string) => void }) {
    this.processes = processes;
    this.devices = new BlockDevices({ processes, note });
  }

  devicePath(address: string): string {
    return devicePath(address);
  }

  async isOnHost(address: string): Promise<boolean> {
    return isKnown(address);
  }

  hostsToAdmit(volume: string): Promise<string[]> {
    return addressesToAdmit(volume);
  }

  isAdmitted(hosts: readonly string[]): Promise<boolean> {
    return hasAdmittedAddresses(hosts);
  }

  /**
   * A device that is there already, from an earlier attachment, may be of a volume that was deleted since, with the same address:
   * one of another size is disconnected first. The read at the end finds an export that answers queries, but no reads.
   */
  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const device = formatAddress(parseAddress(address));
    await this.loadModule(device, options.signal);
    if (isKnown(device)) await this.renew(device, options);
    if (!(await this.discover(device, options))) {
      throw errors.connectorFailed(
        device,
        `no target answers on that address${await limitOfInterfaces()}`,
        'check that the volume is exported ("blockstore volume show"), that an interface of this host is up and in the ' +
          "same Ethernet as the storage node's aoe_eth_dev, and that its address is among the allowed ones",
      );
    }
    if (!hasSizeOf(await sizeOf(device), options.sizeBytes)) {
      throw errors.connectorFailed(
        device,
        `its target has ${await sizeOf(device)} bytes, the volume has ${options.sizeBytes}`,
        'another machine answers on that address, or an export was not restarted: see "blockstore audit"',
      );
    }
    const { endpoint = '', readOnly = false } = options;
    if (endpoint !== '') await this.refuseStranger(device, endpoint);
    await this.devices.setReadOnly(device, devicePath(device), readOnly);
    await this.devices.readOnce(device, devicePath(device), options.signal);
    return { devicePath: devicePath(device) };
  }

  async disconnect(address: string, options: WaitOptions = {}): Promise<void> {
    const device = formatAddress(parseAddress(address));
    if (!isKnown(device)) return;
    // The kernel obeys a flush even while the device is mounted, so the users were checked before. The target has all
    // writes by then, because the last close of a block device waits for them.
    await this.refuseWhileUsed(device);
    if (await this.flush(device, options)) return;
    throw stays(devicePath(device));
  }

  async revalidate(address: string, options: RevalidateOptions = {}): Promise<number> {
    const device = formatAddress(parseAddress(address));
    if (!isKnown(device)) throw errors.connectorFailed(device, 'it is not connected', 'connect it first');
    // The kernel waits until the target has answered what is under way, which an export that has just been restarted has lost.
    await this.control('revalidate', device, device, lostRequestsMs);
    return grownSize(device, options, {
      readSize: () => sizeOf(device),
      hint: 'detach and attach the volume: a running export does not notice that its device grew',
    });
  }

  /**
   * Whether the device is gone. The kernel queries the target at every last close of a device (the check for users is one),
   * and a reply after the flush creates the device again: it must stay absent for a moment.
   */
  private async flush(device: string, options: WaitOptions): Promise<boolean> {
    let goneSince: number | undefined;
    // With a final zero byte: the kernel compares only the given bytes, and e1.1 would match e1.10 to e1.19 as well.
    await this.control('flush', `${device}\0`, device);
    return poll(options, async () => {
      if (isKnown(device)) {
        goneSince = undefined;
        await this.refuseWhileUsed(device, visibleUsers);
        await this.control('flush', `${device}\0`, device);
        return false;
      }
      goneSince ??= performance.now();
      return performance.now() - goneSince >= settleMs;
    });
  }

  /**
   * Makes the kernel ask the target of a device anew. One that has another size after that is disconnected, and so is one whose kernel waits
   * for answers that nobody gives: it found the export by itself before this host was admitted.
   */
  private async renew(device: string, options: ConnectOptions): Promise<void> {
    const { sizeBytes, mayBeInUse = false } = options;
    // The kernel changes a device's size under its users: they would go on in the next volume.
    if (!mayBeInUse) await this.refuseWhileUsed(device);
    if (await isUp(device)) {
      const asked = this.control('revalidate', device, device, mayBeInUse ? lostRequestsMs : renewMs);
      const isAnswered = await (mayBeInUse ? asked.then(() => true) : asked.then(() => true).catch(() => false));
      if (!isAnswered) {
        if (await this.flush(device, options)) return;
        throw stays(devicePath(device));
      }
    }
    if (sizeBytes === undefined || mayBeInUse) return;
    const hasRightSize = async () => (await isUp(device)) && hasSizeOf(await sizeOf(device), sizeBytes);
    if (await poll({ ...options, timeoutMs: renewMs }, hasRightSize)) return;
    if (await this.flush(device, options)) return;
    throw stays(devicePath(device));
  }

  /** Whether the device is there, up, within the time limit. */
  private discover(device: string, options: ConnectOptions): Promise<boolean> {
    let asked = -Infinity;
    return poll(options, async () => {
      if (await isUp(device)) return true;
      if (performance.now() - asked >= discoverEveryMs) {
        await this.control('discover', '1', device);
        asked = performance.now();
      }
      return false;
    });
  }

  /**
   * Throws ConnectorFailed where another machine than the volume's node answers. One beside that node is asked for: the kernel takes
   * both for one target, spreads reads and writes over them, and names the first alone.
   */
  private async refuseStranger(device: string, endpoint: string): Promise<void> {
    const first = await firstMachineOf(device);
    if (first !== undefined && first !== endpoint) throw strangerAnswers(device, first, endpoint);
    for (const name of await interfacesOf(device)) {
      const discovery = new Discovery(this.processes, { interface: name });
      try {
        const answers = await discovery.address(device, secondAnswerMs);
        const other = answers.find(({ host }) => host !== endpoint);
        if (other) throw strangerAnswers(device, other.host, endpoint);
      } finally {
        await discovery.close();
      }
    }
  }

  /** Throws DeviceInUse. */
  private async refuseWhileUsed(device: string, find?: typeof visibleUsers): Promise<void> {
    await this.devices.refuseWhileUsed(kernelName(device), devicePath(device), find);
  }

  /** Writes to a control device of the module; in a child process, since the kernel can wait there for a device that is stuck. */
  private async control(
    name: 'discover' | 'flush' | 'revalidate',
    text: string,
    device: string,
    timeoutMs?: number,
  ): Promise<void> {
    const file = `${deviceDirectory}/${name}`;
    // Not to be written then: an ordinary file would be made.
    if (!existsSync(file)) throw errors.connectorFailed(device, `there is no ${file}`, noControlDevice);
    try {
      await this.devices.writeTo(device, file, text, timeoutMs);
    } catch (error) {
      throw error instanceof BlockstoreError && error.message.includes('sudo:') ? notRoot(device) : error;
    }
  }

  private async loadModule(device: string, signal: AbortSignal | undefined): Promise<void> {
    if (existsSync('/sys/module/aoe')) return;
    try {
      await this.processes.run('modprobe', ['aoe'], { asRoot: true, ...(signal ? { signal } : {}) });
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.failure.notFound) throw errors.commandMissing('modprobe', 'kmod');
      if (error.failure.cancelled) throw error;
      throw moduleFailure(device, error);
    }
  }
}

/** Of the module, by its option or by aoe-interfaces(8); readable for root. */
async function limitOfInterfaces(): Promise<string> {
  const names = (await readAttribute('/sys/module/aoe/parameters/aoe_iflist'))?.trim() ?? '';
  return names === '' ? '' : `; the module aoe of this host asks on ${names} only (aoe_iflist)`;
}

function moduleFailure(device: string, error: CommandError): Error {
  const stderr = error.failure.stderr.trim();
  // modprobe itself runs as root: what it may not do, root may not.
  if (stderr.includes('sudo:')) return notRoot(device);
  const [, hint = missingModule] = moduleHints.find(([pattern]) => pattern.test(stderr)) ?? [];
  return errors.connectorFailed(device, `the kernel module aoe cannot be loaded: ${stderr || error.message}`, hint);
}

function notRoot(device: string): Error {
  return errors.connectorFailed(device, 'only root may connect AoE devices', 'run this as root');
}

function strangerAnswers(device: string, stranger: string, endpoint: string): Error {
  return errors.connectorFailed(
    device,
    `the machine ${stranger} answers on that address, the volume's node is ${endpoint}`,
    `find that machine in the storage network and stop its target; then run "aoe-flush ${device}" here and attach again`,
  );
}
