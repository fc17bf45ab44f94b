import { KeyedMutex } from '../../concurrency.ts';
import { asError, errors } from '../../errors.ts';
import type { Portal } from '../../iscsi/address.ts';
import { checkStorage } from '../storage.ts';
import type { Log } from '../../log.ts';
import { nqnOf, nvmeIdentityOf, volumeNamespace, volumeOfNqn } from '../../nvme/address.ts';
import { type Configfs, ConfigfsFailure } from '../configfs.ts';
import type { ExportSpec } from '../target.ts';
import { type FoundSubsystem, readSubsystem, subsystemNames } from './found-subsystem.ts';
import { admissionOf, hostOf, model, namespaceOf, subsystemOf } from './layout.ts';
import { Ports } from './ports.ts';

export interface ExportsOptions {
  portal: Portal;
  targetPrefix: string;
}

/** How a namespace is to be made. */
interface NamespacePlan {
  device: string;
  /** Of a file, which not every file system can write past its cache. A host's flush syncs it. */
  isBuffered: boolean;
}

/** Makes and removes the subsystems of volumes in the kernel; all others are left alone. */
export class Exports {
  readonly ports: Ports;
  private readonly configfs: Configfs;
  private readonly options: ExportsOptions;
  private readonly log: Log;
  /** Exports share a port and hosts, which the last one removes. */
  private readonly shared = new KeyedMutex();

  constructor(configfs: Configfs, options: ExportsOptions, log: Log) {
    this.configfs = configfs;
    this.options = options;
    this.log = log;
    this.ports = new Ports(configfs, options.portal);
  }

  /**
   * The export is as specified, whatever was there before. `spec.hosts` are valid and sorted. Hosts are added while it runs; any other
   * change makes it anew, also the end of a host's right: the kernel ends the connections of a subsystem all together. Hosts that stay
   * connect again by themselves. Throws ExportFailed, ExportStays, PortalUnusable, InvalidArgument.
   */
  async ensure(spec: ExportSpec): Promise<void> {
    const { id } = spec;
    const found = await this.find(id);
    if (spec.readOnly) {
      await this.remove(id, found);
      throw errors.readOnlyRefused(id, 'nvmet');
    }
    const { isFile } = await checkStorage(id, spec.path);
    const plan = { device: spec.path, isBuffered: isFile };
    const [subsystem] = found;
    if (subsystem && (await this.hasFrame(found, spec, plan))) {
      await this.attempt(id, async () => {
        await this.readSize(subsystem.nqn);
        await this.admit(
          subsystem.nqn,
          spec.hosts.filter((host) => !subsystem.hosts.includes(host)),
        );
      });
      return;
    }
    await this.remove(id, found);
    await this.create(spec, plan);
  }

  /** Resolves when neither the subsystem nor a command of a host to the storage is left. Throws ExportStays. */
  async end(id: string): Promise<void> {
    await this.remove(id, await this.find(id));
  }

  /** Under the present prefix or an earlier one. */
  private async find(id: string): Promise<FoundSubsystem[]> {
    const names = (await subsystemNames(this.configfs)).filter((nqn) => volumeOfNqn(nqn) === id);
    return Promise.all(names.map((nqn) => readSubsystem(this.configfs, this.ports, nqn)));
  }

  /** Whether all but hosts that are missing is as specified. */
  private async hasFrame(
    [subsystem, other]: readonly FoundSubsystem[],
    { id, hosts }: ExportSpec,
    { device, isBuffered }: NamespacePlan,
  ): Promise<boolean> {
    if (!subsystem || other || !subsystem.isProven) return false;
    const [namespace, another] = subsystem.namespaces;
    const { uuid, serial } = nvmeIdentityOf(id);
    const nqn = nqnOf(this.options.targetPrefix, id);
    return (
      subsystem.nqn === nqn &&
      subsystem.serial === serial &&
      subsystem.isOpen === (hosts.length === 0) &&
      subsystem.hosts.every((host) => hosts.includes(host)) &&
      another === undefined &&
      namespace?.number === String(volumeNamespace) &&
      namespace.device === device &&
      namespace.isBuffered === isBuffered &&
      namespace.uuid === uuid &&
      namespace.nguid === uuid &&
      namespace.isEnabled &&
      subsystem.links.join(' ') === `${await this.ports.find()}/subsystems/${nqn}`
    );
  }

  /** In this order: nothing is served before the access list is right. */
  private async create(spec: ExportSpec, plan: NamespacePlan): Promise<void> {
    const { configfs } = this;
    const { id, hosts } = spec;
    const nqn = nqnOf(this.options.targetPrefix, id);
    const path = subsystemOf(nqn);
    const { serial } = nvmeIdentityOf(id);
    try {
      await this.attempt(id, async () => {
        await configfs.create(path);
        await configfs.write(`${path}/attr_model`, model);
        await configfs.hide(path);
        await configfs.write(`${path}/attr_serial`, serial);
        await configfs.write(`${path}/attr_allow_any_host`, hosts.length === 0 ? '1' : '0');
        await this.createNamespace(nqn, id, plan);
        await this.admit(nqn, hosts);
        await this.shared.run('port', () => this.ports.present(nqn));
        if (!(await this.hasFrame(await this.find(id), spec, plan))) {
          throw new ConfigfsFailure(path, 'the kernel has made it otherwise');
        }
      });
    } catch (error) {
      await this.undo(id);
      throw error;
    }
  }

  private async createNamespace(nqn: string, id: string, { device, isBuffered }: NamespacePlan): Promise<void> {
    const path = namespaceOf(nqn);
    const { uuid } = nvmeIdentityOf(id);
    await this.configfs.create(path);
    const attributes = {
      device_path: device,
      device_uuid: uuid,
      device_nguid: uuid,
      buffered_io: isBuffered ? '1' : '0',
      enable: '1',
    };
    for (const [name, value] of Object.entries(attributes)) await this.configfs.write(`${path}/${name}`, value);
  }

  /** Hosts that have the storage open see a new size at once. Kernels without the attribute look when a host asks. */
  private async readSize(nqn: string): Promise<void> {
    try {
      await this.configfs.write(`${namespaceOf(nqn)}/revalidate_size`, '1');
    } catch (error) {
      const isOld = error instanceof ConfigfsFailure && ['ENOENT', 'EACCES'].includes(error.code);
      if (!isOld) throw error;
    }
  }

  private async admit(nqn: string, hosts: readonly string[]): Promise<void> {
    if (hosts.length === 0) return;
    await this.shared.run('hosts', async () => {
      for (const host of hosts) {
        await this.configfs.create(hostOf(host));
        await this.configfs.link(admissionOf(nqn, host), hostOf(host));
      }
    });
  }

  /** What is half made serves nobody. */
  private async undo(id: string): Promise<void> {
    try {
      await this.end(id);
    } catch (error) {
      this.log.warn(`an unfinished export of volume ${id} stays in the kernel`, { reason: asError(error).message });
    }
  }

  private async remove(id: string, found: readonly FoundSubsystem[]): Promise<void> {
    try {
      for (const subsystem of found) await this.removeSubsystem(subsystem);
      await this.shared.run('port', () => this.ports.removeUnused());
    } catch (error) {
      if (!(error instanceof ConfigfsFailure)) throw error;
      throw errors.sessionsStay(id, `${error.path} stays: ${error.code}`);
    }
  }

  /**
   * First no port presents it, which ends all connections: a host waits and tries again, where the end of its namespace would take its
   * device. The end of a namespace waits for commands that the storage has not answered; later ones find none.
   */
  private async removeSubsystem({ nqn, links, namespaces }: FoundSubsystem): Promise<void> {
    const { configfs } = this;
    for (const link of links) await configfs.unlinkEndingSessions(link);
    for (const { number, isEnabled } of namespaces) {
      const path = namespaceOf(nqn, number);
      if (isEnabled) await configfs.writeEndingSessions(`${path}/enable`, '0');
      // A retry waits here for what still waits there.
      await configfs.removeWithSessions(path);
    }
    // Again, for one that was half made or half removed shows fewer than it has.
    for (const host of await configfs.links(`${subsystemOf(nqn)}/allowed_hosts`)) await this.refuse(nqn, host);
    await configfs.remove(subsystemOf(nqn));
  }

  /** After a crash between the two the host stays for its next export: it has no right by that. */
  private async refuse(nqn: string, host: string): Promise<void> {
    await this.shared.run('hosts', async () => {
      await this.configfs.unlink(admissionOf(nqn, host));
      try {
        await this.configfs.remove(hostOf(host));
      } catch (error) {
        if (!(error instanceof ConfigfsFailure && error.code === 'EBUSY')) throw error; // another subsystem admits it
      }
    });
  }

  private async attempt(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ConfigfsFailure)) throw error;
      throw errors.exportFailed(id, `the kernel refuses ${error.path}: ${error.code}`);
    }
  }
}
