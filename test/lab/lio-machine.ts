import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { silentLog } from '../../lib/log.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { type Configfs, KernelConfigfs } from '../../lib/targets/configfs.ts';
import { readTarget } from '../../lib/targets/iscsi-lio/found-target.ts';
import { IscsiLioTarget } from '../../lib/targets/iscsi-lio/target.ts';
import type { PortalTargetOptions } from '../../lib/iscsi/portal-target.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import type { Subject } from '../lib/targets/conformance.ts';
import type { ExportPlace } from '../lib/targets/pair.ts';
import { qemuLogin } from '../lib/targets/iscsi-tgt/qemu-session.ts';

const directory = '/run/lio';
export const group = 'lio';
export const prefix = 'iqn.2010-10.org.openstack:';
export const kernelRoot = '/sys/kernel/config/target';

/** For exports without sessions: a process takes long on such a machine. */
class QuickConfigfs extends KernelConfigfs {
  override removeWithSessions(path: string): Promise<void> {
    return this.remove(path);
  }

  override writeEndingSessions(path: string, value: string): Promise<void> {
    return this.write(path, value);
  }
}

/** The lab machine that this program runs on, with one disk; hosts are on it as well, by libiscsi. */
export class LioMachine implements Subject, ExportPlace {
  readonly hosts = ['iqn.1993-08.org.debian:01:aaa', 'iqn.1993-08.org.debian:01:bbb'] as const;
  readonly login = qemuLogin;
  readonly configfs = new KernelConfigfs(new ChildProcesses(), kernelRoot);
  readonly quickConfigfs = new QuickConfigfs(new ChildProcesses(), kernelRoot);
  /** The portal of its targets. */
  portal = { ip: '127.0.0.1', port: 3260 };
  durability: 'sync' | 'cached' = 'sync';
  /** Whether volumes are logical volumes, or files. */
  onDisk = false;
  private readonly targets: IscsiLioTarget[] = [];

  /** With a volume group for its own volumes, where a disk is given. */
  static async create(disk?: string): Promise<LioMachine> {
    const machine = new LioMachine();
    await mkdir(directory, { recursive: true });
    await machine.made().setup();
    if (disk === undefined) return machine;
    await machine.sh(`pvcreate -qffy ${disk} && vgcreate -q ${group} ${disk}`);
    return machine;
  }

  async sh(script: string): Promise<string> {
    const { stdout } = await promisify(execFile)('sh', ['-c', script]);
    return stdout.trim();
  }

  made(options: Partial<PortalTargetOptions> = {}, configfs: Configfs = this.configfs): IscsiLioTarget {
    const own = { portal: this.portal, targetPrefix: prefix, chap: true, durability: this.durability };
    const context = { processes: new ChildProcesses(), log: silentLog, configfs };
    const target = new IscsiLioTarget({ ...own, ...options }, context);
    this.targets.push(target);
    return target;
  }

  async target(options: Partial<PortalTargetOptions> = {}): Promise<IscsiLioTarget> {
    const target = this.made(options);
    await target.setup();
    return target;
  }

  /** Of 4 MiB on the disk, of 1 MiB in a file; all zeros. */
  async volume(): Promise<ExportSpec> {
    const id = randomUUID();
    const path = this.onDisk ? `/dev/${group}/volume-${id}` : join(directory, `volume-${id}`);
    if (this.onDisk) {
      await this.sh(`lvcreate -qy -Wn -Zn -L 4M -n volume-${id} ${group} && dd if=/dev/zero of=${path} bs=1M count=4`);
    } else {
      await writeFile(path, Buffer.alloc(2 ** 20));
    }
    return this.specOf({ id, path });
  }

  specOf({ id, path }: Pick<ExportSpec, 'id' | 'path'>): ExportSpec {
    return { id, path, address: this.made().addressOf(id), readOnly: false, hosts: [] };
  }

  async grow({ id, path }: ExportSpec): Promise<number> {
    if (this.onDisk) await this.sh(`lvextend -q -L 8M ${group}/volume-${id}`);
    else await truncate(path, 2 * 2 ** 20);
    return (this.onDisk ? 8 : 2) * 2 ** 20;
  }

  /** Names of the hosts that have a session. */
  async users({ id }: ExportSpec): Promise<string[]> {
    const name = `${prefix}volume-${id}`;
    const { acls } = await readTarget(this.configfs, name);
    const states = acls.map(async ({ initiator }) => {
      const info = await this.configfs.read(`iscsi/${name}/tpgt_1/acls/${initiator}/info`);
      return info?.includes('LOGGED_IN') ? [initiator] : [];
    });
    const dynamic = (await this.configfs.read(`iscsi/${name}/tpgt_1/dynamic_sessions`)) ?? '';
    return [...(await Promise.all(states)).flat(), ...dynamic.split(/[\n\0]+/).filter((one) => one !== '')];
  }

  /** Everything that the kernel has of exports, for comparison. */
  async state(): Promise<string> {
    return this.sh(`cd ${kernelRoot} && find core iscsi -not -path '*/statistics/*' -not -path '*/fabric_statistics/*' \\
      -not -path 'core/alua*' | sort`);
  }

  async removeExports(): Promise<void> {
    for (const target of this.targets.splice(0)) await target.close();
    const quick = this.made({}, this.quickConfigfs);
    for (const id of await quick.listTraces()) await quick.removeExport(id);
  }

  async reset(): Promise<void> {
    await this.removeExports();
    await this.sh(
      `rm -rf ${directory}/*; for lv in $(lvs --noheadings -o lv_name ${group}); do lvremove -qfy ${group}/$lv; done`,
    );
  }
}
