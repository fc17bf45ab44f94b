import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm, symlink, truncate, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { NvmeConnector } from '../../../../lib/connectors/nvme.ts';
import { controllersOf } from '../../../../lib/connectors/nvme-controllers.ts';
import { silentLog } from '../../../../lib/log.ts';
import { tryParseNvmeAddress } from '../../../../lib/nvme/address.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { type Configfs, KernelConfigfs } from '../../../../lib/targets/configfs.ts';
import { NvmetTarget } from '../../../../lib/targets/nvmet/target.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { until } from '../../../support/until.ts';
import type { HostSession, Subject } from '../conformance.ts';

const directory = '/run/nvmet';
/** The least that a volume in a file is read by. */
const blockBytes = 4096;
export const prefix = 'nqn.2010-10.org.openstack:';
export const kernelRoot = '/sys/kernel/config/nvmet';

/** For exports without connections: a process takes long on such a machine. */
class QuickConfigfs extends KernelConfigfs {
  override removeWithSessions(path: string): Promise<void> {
    return this.remove(path);
  }

  override writeEndingSessions(path: string, value: string): Promise<void> {
    return this.write(path, value);
  }

  override unlinkEndingSessions(path: string): Promise<void> {
    return this.unlink(path);
  }
}

/** The machine that this program runs on. Hosts are on it as well, by the kernel's own initiator and nvme-cli. */
export class NvmetMachine implements Subject {
  readonly hosts = [
    'nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000a',
    'nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000b',
  ] as const;
  readonly refusesReadOnly = true;
  readonly configfs = new KernelConfigfs(new ChildProcesses(), kernelRoot);
  readonly quickConfigfs = new QuickConfigfs(new ChildProcesses(), kernelRoot);
  portal = { ip: '127.0.0.1', port: 4420 };
  /** Whether volumes are files, not block devices. */
  onFiles = false;
  private readonly targets: NvmetTarget[] = [];

  static async create(): Promise<NvmetMachine> {
    await mkdir(directory, { recursive: true });
    const machine = new NvmetMachine();
    await machine.made().setup();
    return machine;
  }

  async sh(script: string): Promise<string> {
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    return stdout.trim();
  }

  made(options: { targetPrefix?: string } = {}, configfs: Configfs = this.configfs): NvmetTarget {
    const context = { processes: new ChildProcesses(), log: silentLog, configfs };
    const target = new NvmetTarget({ portal: this.portal, targetPrefix: prefix, ...options }, context);
    this.targets.push(target);
    return target;
  }

  async target(): Promise<NvmetTarget> {
    const target = this.made();
    await target.setup();
    return target;
  }

  /** Of 1 MiB. A block device has a link as its path, as a logical volume has. */
  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    const file = join(directory, `data-${id}`);
    await writeFile(file, Buffer.alloc(2 ** 20));
    const path = join(directory, `volume-${id}`);
    await symlink(this.onFiles ? file : await this.sh(`losetup --find --show ${file}`), path);
    return this.specOf({ id, path });
  }

  specOf({ id, path }: Pick<ExportSpec, 'id' | 'path'>): ExportSpec {
    return { id, path, address: this.made().addressOf(id), readOnly: false, hosts: [] };
  }

  async removeStorage({ path }: ExportSpec): Promise<void> {
    await unlink(path);
  }

  async grow({ id, path }: ExportSpec): Promise<number> {
    await truncate(join(directory, `data-${id}`), 2 ** 21);
    if (!this.onFiles) await this.sh(`losetup --set-capacity $(readlink ${path})`);
    return 2 ** 21;
  }

  async connector(host: string = this.hosts[0]): Promise<NvmeConnector> {
    const hostNqn = join(directory, `nqn-${host.slice(-1)}`);
    await writeFile(hostNqn, `${host}\n`);
    return new NvmeConnector({ processes: new ChildProcesses(), places: { hostNqn } });
  }

  /** By the kernel alone: nvme-cli makes no second connection with a subsystem, which is another host's here. Soon without hope. */
  async login(spec: ExportSpec, host: string): Promise<HostSession> {
    const { ip, port, nqn = '' } = tryParseNvmeAddress(spec.address) ?? {};
    // A host of its own would not have them. The numbers of a subsystem that was made anew begin at 1 again.
    for (const { name, isLive } of await controllersOf(nqn)) if (!isLive) await this.disconnect(name);
    const before = await controllersOf(nqn);
    const options = [`transport=tcp,traddr=${ip},trsvcid=${port},nqn=${nqn},hostnqn=${host},duplicate_connect`];
    options.push(`hostid=0a1b2c3d-0000-4000-8000-00000000000${host.slice(-1)},ctrl_loss_tmo=20,reconnect_delay=1`);
    await this.sh(`printf ${options.join(',')} >/dev/nvme-fabrics`);
    const names = (await controllersOf(nqn)).map(({ name }) => name);
    const name = names.find((one) => !before.some((other) => other.name === one)) ?? '';
    await this.sh(`echo 2 >/sys/class/nvme/${name}/fast_io_fail_tmo`);
    const disk = await until(async () => {
      const found = (await readdir(`/sys/class/nvme/${name}`)).find((one) => /^nvme\d+n\d+$/.test(one));
      return found !== undefined && existsSync(`/dev/${found}`) ? found : undefined;
    }, `${name} has a disk`);
    return new KernelSession(this, name, disk);
  }

  async disconnect(controller: string): Promise<void> {
    await this.sh(`test ! -e /sys/class/nvme/${controller} || nvme disconnect --device=${controller}`);
  }

  async users({ address }: ExportSpec): Promise<string[]> {
    const { nqn = '' } = tryParseNvmeAddress(address) ?? {};
    const live = (await controllersOf(nqn)).filter(({ isLive }) => isLive);
    const names = live.map(async ({ name }) => (await readFile(`/sys/class/nvme/${name}/hostnqn`, 'utf8')).trim());
    return Promise.all(names);
  }

  /** Everything that the kernel has of exports, for comparison. */
  async state(): Promise<string> {
    return this.sh(`cd ${kernelRoot} && find . | sort; grep -rs . subsystems/*/attr_* ports/*/addr_* | sort`);
  }

  async endExports(): Promise<void> {
    for (const target of this.targets.splice(0)) await target.close();
    await this.sh('nvme disconnect-all');
    const quick = this.made({}, this.quickConfigfs);
    for (const id of await quick.listTraces()) await quick.removeExport(id);
  }

  async reset(): Promise<void> {
    await this.endExports();
    await this.sh('losetup --detach-all');
    await rm(directory, { recursive: true });
    await mkdir(directory);
  }
}

class KernelSession implements HostSession {
  private readonly machine: NvmetMachine;
  private readonly controller: string;
  private readonly disk: string;

  constructor(machine: NvmetMachine, controller: string, disk: string) {
    this.machine = machine;
    this.controller = controller;
    this.disk = disk;
  }

  async write(offset: number, data: Buffer): Promise<void> {
    const file = join(directory, `write-${this.controller}`);
    await writeFile(file, data);
    await this.machine.sh(`test -b /dev/${this.disk} && dd if=${file} of=/dev/${this.disk} bs=${blockBytes} seek=${offset / blockBytes} \\
      oflag=direct conv=notrunc,nocreat status=none`);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const file = join(directory, `read-${this.controller}`);
    const first = Math.floor(offset / blockBytes);
    const count = Math.ceil((offset + length) / blockBytes) - first;
    await this.machine.sh(`dd if=/dev/${this.disk} of=${file} bs=${blockBytes} skip=${first} count=${count} \\
      iflag=direct status=none`);
    const begin = offset - first * blockBytes;
    return (await readFile(file)).subarray(begin, begin + length);
  }

  async close(): Promise<void> {
    await this.machine.disconnect(this.controller);
  }
}
