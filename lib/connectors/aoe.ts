import { existsSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { deviceDirectory, devicePath, formatAddress, kernelName, parseAddress } from '../aoe/address.ts';
import { CommandError } from '../command-error.ts';
import { pollUntil } from '../concurrency.ts';
import { type DeviceUsers, blockDeviceUsers, visibleUsers } from '../devices/users.ts';
import { asError, errors } from '../errors.ts';
import { errorCode } from '../files.ts';
import type { Processes } from '../process.ts';
import type { ConnectOptions, Connection, Connector, RevalidateOptions } from './connector.ts';

const defaultTimeoutMs = 10_000;
const pollMs = 50;
/** Interval of repeated queries: a query or its reply can be lost. */
const discoverEveryMs = 1000;
/** Maximum delay of the reply to a query. */
const settleMs = 250;

/**
 * Controls the kernel's AoE initiator through the devices of its module: /dev/etherd/{discover,flush,revalidate}. It queries
 * every Ethernet interface that is up, unless the module was loaded with aoe_iflist. Requires root.
 */
export class AoeConnector implements Connector {
  readonly name = 'aoe';
  private readonly processes: Processes;

  constructor({ processes }: { processes: Processes }) {
    this.processes = processes;
  }

  async connect(address: string, options: ConnectOptions = {}): Promise<Connection> {
    const device = formatAddress(parseAddress(address));
    await this.loadModule(device, options.signal);
    if (await isUp(device)) await control('revalidate', device, device);
    let asked = -Infinity;
    const isThere = await poll(options, async () => {
      if (await isUp(device)) return true;
      if (performance.now() - asked >= discoverEveryMs) {
        await control('discover', '1', device);
        asked = performance.now();
      }
      return false;
    });
    if (!isThere) {
      throw errors.connectorFailed(
        device,
        'nothing answers to that address',
        'see that the volume is exported ("blockstore volume show"), that an interface of this host is up and in the ' +
          "same Ethernet as the storage node's aoe_eth_dev, and that its address is among those allowed",
      );
    }
    return { devicePath: devicePath(device) };
  }

  async disconnect(address: string, options: ConnectOptions = {}): Promise<void> {
    const device = formatAddress(parseAddress(address));
    if (!isKnown(device)) return;
    // The kernel obeys a flush even while the device is mounted, so the users were checked before. The target has all
    // writes by then, because the last close of a block device waits for them.
    await refuseWhileUsed(device, blockDeviceUsers);
    if (await this.flush(device, options)) return;
    throw errors.deviceInUse(devicePath(device), ['the kernel, which does not release it']);
  }

  async revalidate(address: string, options: RevalidateOptions = {}): Promise<number> {
    const device = formatAddress(parseAddress(address));
    if (!isKnown(device)) throw errors.connectorFailed(device, 'it is not connected', 'connect it first');
    await control('revalidate', device, device);
    const expected = options.sizeBytes ?? 0;
    let size = 0;
    const isThere = await poll(options, async () => {
      size = Number((await attribute(device, 'size')) ?? 0) * 512;
      return size >= expected;
    });
    if (isThere) return size;
    throw errors.connectorFailed(
      device,
      `it has ${size} bytes instead of ${expected}`,
      'detach and attach the volume: a running export does not notice that its device grew',
    );
  }

  /**
   * Whether the device is gone. The kernel queries the target at every last close of a device (the check for users is one),
   * and a reply after the flush creates the device again: it must stay absent for a moment.
   */
  private async flush(device: string, options: ConnectOptions): Promise<boolean> {
    let goneSince: number | undefined;
    // With a final zero byte: the kernel compares only the given bytes, and e1.1 would match e1.10 to e1.19 as well.
    await control('flush', `${device}\0`, device);
    return poll(options, async () => {
      if (isKnown(device)) {
        goneSince = undefined;
        await refuseWhileUsed(device, visibleUsers);
        await control('flush', `${device}\0`, device);
        return false;
      }
      goneSince ??= performance.now();
      return performance.now() - goneSince >= settleMs;
    });
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

async function poll({ timeoutMs, signal }: ConnectOptions, condition: () => Promise<boolean>): Promise<boolean> {
  const deadlineMs = timeoutMs ?? defaultTimeoutMs;
  return (await pollUntil(condition, { deadlineMs, intervalMs: pollMs, signal })) === true;
}

/** Throws DeviceInUse. */
async function refuseWhileUsed(device: string, find: (kernelName: string) => Promise<DeviceUsers>): Promise<void> {
  const { users } = await find(kernelName(device));
  if (users.length > 0) throw errors.deviceInUse(devicePath(device), users);
}

function moduleFailure(device: string, error: CommandError): Error {
  const { stderr } = error.failure;
  if (/not permitted|Permission denied|sudo:/.test(stderr)) return notRoot(device);
  return errors.connectorFailed(
    device,
    `the kernel module aoe cannot be loaded: ${stderr.trim() || error.message}`,
    'run a kernel with CONFIG_ATA_OVER_ETH (on Debian linux-image-amd64, not the cloud kernel)',
  );
}

function notRoot(device: string): Error {
  return errors.connectorFailed(device, 'only root may connect AoE devices', 'run this as root');
}

/** Writes to a control device of the module. */
async function control(name: 'discover' | 'flush' | 'revalidate', text: string, device: string): Promise<void> {
  const file = `${deviceDirectory}/${name}`;
  try {
    // r+: a missing device must not become a file
    const handle = await open(file, 'r+');
    try {
      await handle.write(text);
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EACCES' || code === 'EPERM') throw notRoot(device);
    throw errors.connectorFailed(
      device,
      `${file}: ${asError(error).message}`,
      'see that the module aoe is loaded and that /dev is a devtmpfs or udev runs',
    );
  }
}

function isKnown(device: string): boolean {
  return existsSync(`/sys/block/${kernelName(device)}`);
}

/** Whether the state is "up", possibly followed by a comma and more, and the node in /dev exists. */
async function isUp(device: string): Promise<boolean> {
  return ((await attribute(device, 'state')) ?? '').startsWith('up') && existsSync(devicePath(device));
}

async function attribute(device: string, name: string): Promise<string | undefined> {
  if (!isKnown(device)) return undefined;
  return (await readFile(`/sys/block/${kernelName(device)}/${name}`, 'utf8')).trim();
}
