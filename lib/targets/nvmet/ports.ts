import { errors } from '../../errors.ts';
import { type Portal, portalText } from '../../iscsi/address.ts';
import { listenerOn } from '../../iscsi/listeners.ts';
import { isHere } from '../../iscsi/portal.ts';
import { isIPv6 } from 'node:net';
import { type Configfs, ConfigfsFailure } from '../configfs.ts';
import { ownPorts, portOf, ports, subsystemOf } from './layout.ts';

/** A port of the kernel's target. It listens as long as it has a subsystem. */
interface FoundPort {
  number: string;
  /** undefined for one that has no address yet, or is none of TCP. */
  portal: Portal | undefined;
  /** Names of the links to its subsystems. */
  links: readonly string[];
}

/** The ports of the kernel's target: this product's are those with its numbers. */
export class Ports {
  private readonly configfs: Configfs;
  private readonly portal: Portal;

  constructor(configfs: Configfs, portal: Portal) {
    this.configfs = configfs;
    this.portal = portal;
  }

  /** Throws PortalUnusable where the kernel could not listen, or for an address that this host does not have. */
  async check(): Promise<void> {
    const text = portalText(this.portal);
    if (!isHere(this.portal)) {
      const reason = `this host does not have the address ${this.portal.ip}`;
      const hint = 'set nvme_ip_address to one of its addresses (ip -br address), or bring up the interface';
      throw errors.nvmePortalUnusable(text, reason, hint);
    }
    const holder = await this.holder();
    if (holder !== undefined) throw errors.nvmePortalTaken(text, holder);
  }

  /** Returns the path of the port that listens on the portal, or would; undefined where there is none. */
  async find(): Promise<string | undefined> {
    const found = (await this.own()).find(({ portal }) => isSame(portal, this.portal));
    return found && portOf(found.number);
  }

  /** Presents a subsystem. Throws PortalUnusable, ConfigfsFailure. */
  async present(nqn: string): Promise<void> {
    const port = await this.made();
    try {
      await this.configfs.link(`${port}/subsystems/${nqn}`, subsystemOf(nqn));
    } catch (error) {
      await this.removeUnused();
      await this.check();
      throw error;
    }
  }

  /** Of whichever port, with the links that present the subsystem. */
  async linksTo(nqn: string): Promise<string[]> {
    const numbers = await this.configfs.directories(ports);
    const lists = numbers.map(async (number) => {
      const directory = `${portOf(number)}/subsystems`;
      const names = await this.configfs.links(directory);
      // Others may have given a link any name; that of a subsystem is followed alone.
      const candidates = names.filter((name) => name === nqn || !name.startsWith('nqn.'));
      const paths = candidates.map((name) => `${directory}/${name}`);
      const leads = await Promise.all(paths.map((path) => this.configfs.follow(path)));
      return paths.filter((_, index) => leads[index] === subsystemOf(nqn));
    });
    return (await Promise.all(lists)).flat();
  }

  /** Ports of this product that present nothing any more. */
  async removeUnused(): Promise<void> {
    for (const { number, links } of await this.own()) {
      if (links.length === 0) await this.configfs.remove(portOf(number));
    }
  }

  /** Returns a description of what listens where the portal would; undefined where nothing does, or a port of this product. */
  private async holder(): Promise<string | undefined> {
    const all = await this.all();
    const own = all.find(({ number, portal }) => ownPorts.includes(number) && isSame(portal, this.portal));
    if (own && own.links.length > 0) return undefined;
    const other = all.find(({ portal, links }) => links.length > 0 && isInTheWay(portal, this.portal));
    if (other) return `port ${other.number} of the kernel's NVMe target`;
    return listenerOn(this.portal);
  }

  /** A port without subsystems does not listen, and can be given another address: a crash may have left it half made. */
  private async made(): Promise<string> {
    const own = await this.own();
    const ready = own.find(({ portal }) => isSame(portal, this.portal));
    if (ready) return portOf(ready.number);
    const number = ownPorts.find((one) => (own.find((port) => port.number === one)?.links.length ?? 0) === 0);
    if (number === undefined) {
      const reason = `the kernel's NVMe target has subsystems on all ports from ${ownPorts[0]} to ${ownPorts.at(-1)}`;
      throw errors.nvmePortalUnusable(
        portalText(this.portal),
        reason,
        'detach volumes that were exported at earlier addresses',
      );
    }
    const path = portOf(number);
    await this.configfs.create(path);
    const attributes = {
      addr_trtype: 'tcp',
      addr_adrfam: isIPv6(this.portal.ip) ? 'ipv6' : 'ipv4',
      addr_traddr: this.portal.ip,
      addr_trsvcid: String(this.portal.port),
    };
    for (const [name, value] of Object.entries(attributes)) await this.configfs.write(`${path}/${name}`, value);
    if (isSame((await this.read(number)).portal, this.portal)) return path;
    throw new ConfigfsFailure(path, 'the kernel has made it otherwise');
  }

  private async own(): Promise<FoundPort[]> {
    return (await this.all()).filter(({ number }) => ownPorts.includes(number));
  }

  private async all(): Promise<FoundPort[]> {
    const numbers = await this.configfs.directories(ports);
    return Promise.all(numbers.map((number) => this.read(number)));
  }

  private async read(number: string): Promise<FoundPort> {
    const path = portOf(number);
    return {
      number,
      portal: await portalOfPort(this.configfs, path),
      links: await this.configfs.links(`${path}/subsystems`),
    };
  }
}

/** Returns undefined for a port that is not one of TCP. */
export async function portalOfPort(configfs: Configfs, path: string): Promise<Portal | undefined> {
  const [type, ip, port] = await Promise.all(
    ['addr_trtype', 'addr_traddr', 'addr_trsvcid'].map((name) => configfs.read(`${path}/${name}`)),
  );
  return type === 'tcp' && ip !== undefined && ip !== '' ? { ip, port: Number(port) } : undefined;
}

function isSame(one: Portal | undefined, other: Portal): boolean {
  return one !== undefined && one.port === other.port && one.ip === other.ip;
}

function isInTheWay(one: Portal | undefined, other: Portal): boolean {
  return one?.port === other.port && (one.ip === other.ip || /^(0\.0\.0\.0|[0:]+)$/.test(one.ip));
}
