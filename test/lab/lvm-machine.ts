import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Finding } from '../../lib/check.ts';
import { checkVolumeGroup } from '../../lib/drivers/lvm/check.ts';
import { LvmDriver, type LvmOptions } from '../../lib/drivers/lvm/driver.ts';
import { silentLog } from '../../lib/log.ts';
import { ChildProcesses, type Processes } from '../../lib/process.ts';
import { hostileSettings } from './hostile-lvm.ts';

export const group = 'nova-volumes';
const conf = '/etc/lvm/lvm.conf';
/** What commands of the cases use where the machine has hostile settings. */
const plainDirectory = '/run/lvm-plain';

/** Whether each case has the hostile settings; see hostile-lvm.ts. */
const isHostile = process.env['HOSTILE'] === '1';

/** The lab machine that this program runs on, with two disks: the first, of 4 GiB, becomes the volume group. */
export class LvmMachine {
  readonly disk: string;
  readonly otherDisk: string;
  private readonly drivers: LvmDriver[] = [];
  /** Of the drivers of a case. */
  stateDir = '';
  #loops = 0;

  constructor(disk: string, otherDisk: string) {
    this.disk = disk;
    this.otherDisk = otherDisk;
  }

  async sh(script: string): Promise<string> {
    const env = isHostile ? { ...process.env, LVM_SYSTEM_DIR: plainDirectory } : process.env;
    const { stdout } = await promisify(execFile)('sh', ['-c', script], { env });
    return stdout.trim();
  }

  driver(options: Partial<LvmOptions> = {}, processes: Processes = new ChildProcesses()): LvmDriver {
    const defaults: LvmOptions = {
      volumeGroup: group,
      storageDev: [this.disk],
      storageCreate: true,
      volumeClear: 'zero',
      volumeClearMiBps: 0,
      snapshotPercent: 100,
      lvmType: 'thick',
      thinPool: '',
      maxOverSubscription: 1,
      numShellTries: 3,
      directory: this.stateDir,
    };
    const driver = new LvmDriver({ ...defaults, ...options }, { processes, log: silentLog, backend: 'lab' });
    this.drivers.push(driver);
    return driver;
  }

  /** What doctor finds. */
  async check(fields: Partial<Parameters<typeof checkVolumeGroup>[0]> = {}): Promise<Finding[]> {
    const flags = {
      volume_group: group,
      storage_dev: [this.disk],
      storage_create: true,
      volume_clear: 'zero' as const,
      volume_clear_mibps: 0,
      lvm_snapshot_percent: 100,
      lvm_type: 'thick' as const,
      lvm_thin_pool: '',
      max_over_subscription_ratio: 1,
      ...fields,
    };
    return checkVolumeGroup(flags, this.stateDir, new ChildProcesses());
  }

  /** More disks, of 160 MiB each, on loop devices; gone at the end of the case. */
  async loops(count: number, sectorBytes = 512): Promise<string[]> {
    const names = Array.from({ length: count }, () => `/dev/loop${this.#loops++}`);
    for (const name of names) {
      const file = LvmMachine.fileOf(name);
      await this.sh(`truncate -s 160M ${file}; losetup --sector-size ${sectorBytes} ${name} ${file}`);
    }
    return names;
  }

  /** What a loop device keeps its data in. */
  static fileOf(loop: string): string {
    return `/run/lvm-${path.basename(loop)}`;
  }

  /** In front of the settings of the machine, until the end of the case. */
  async configure(settings: string): Promise<void> {
    await this.sh(`cp -n ${conf} ${conf}.kept`);
    const { stdout } = await promisify(execFile)('lvm', ['lvmconfig', '--mergedconfig', '--config', settings]);
    await writeFile(conf, stdout);
  }

  async begin(): Promise<void> {
    this.stateDir = await mkdtemp(path.join(tmpdir(), 'lvm-'));
    if (!isHostile) return;
    await this.sh(`[ -e ${plainDirectory} ] || cp -a /etc/lvm ${plainDirectory}; mkdir -p /etc/lvm/backup`);
    await this.configure(hostileSettings.join(' '));
  }

  /** Empties the disks. */
  async end(): Promise<void> {
    for (const driver of this.drivers.splice(0)) await driver.close();
    await rm(this.stateDir, { recursive: true });
    this.#loops = 0;
    await this.sh(`[ ! -e ${conf}.kept ] || mv ${conf}.kept ${conf}`);
    await this.sh(`umount /mnt/volume 2>/dev/null; dmsetup remove_all --force; dmsetup mknodes; rm -rf /dev/${group}
      losetup -D; rm -rf /run/lvm-loop* /dev/links
      for disk in ${this.disk} ${this.otherDisk}; do blkdiscard --zeroout --length 100M $disk; done`);
  }

  /** Returns the process ids of the resident shells that this program started. */
  async shells(): Promise<number[]> {
    const children = await this.sh(`pgrep -x -P ${process.pid} lvm || true`);
    return children.split('\n').filter(Boolean).map(Number);
  }

  /** Returns "name" or "name active" of every logical volume. */
  async logicalVolumes(): Promise<string[]> {
    const rows = await this.sh(`lvm lvs --noheadings -o lv_name,lv_active ${group}`);
    return rows.split('\n').map((row) => row.trim().replace(/\s+/, ' '));
  }

  /** Returns the names of all logical volumes of blockstore, parts included. */
  async logicalVolumeNames(): Promise<string[]> {
    const rows = await this.sh(
      `lvm lvs --noheadings -a -o lv_name -S lv_name!~blockstore-pool\\&\\&lv_name!~lvol ${group}`,
    );
    return rows
      .split('\n')
      .map((row) => row.trim())
      .filter((name) => name !== '')
      .toSorted();
  }

  /** Writes 4 KiB of `text` durably. */
  async write(device: string, text: string, places: readonly number[]): Promise<void> {
    const file = await open(device, 'r+');
    for (const place of places) await file.write(Buffer.alloc(4096, text), 0, 4096, place);
    await file.sync();
    await file.close();
  }

  /** Returns the beginning of the text in the 4 KiB at each of these offsets, '' for zeros; readable, unlike a difference of buffers. */
  async read(device: string, places: readonly number[]): Promise<string[]> {
    const file = await open(device, 'r');
    const texts: string[] = [];
    for (const place of places) {
      const { buffer } = await file.read(Buffer.alloc(4096, 'x'), 0, 4096, place);
      texts.push(buffer.toString().replaceAll('\0', '').slice(0, 100));
    }
    await file.close();
    return texts;
  }
}

/** A host whose lvm cannot run as a resident process. */
export class WithoutShell extends ChildProcesses {
  override resident(): ReturnType<Processes['resident']> {
    return super.resident('true', [], {});
  }
}

export interface LvmCase {
  title: string;
  run: () => Promise<void>;
}

/**
 * Prints "ok" or "not ok" for each. With words in the environment variable ONLY, those whose titles have them; with PART=2/3 the
 * second, the fifth and so on.
 */
export async function runCases(machine: LvmMachine, list: readonly LvmCase[]): Promise<void> {
  const [number = 1, parts = 1] = (process.env['PART'] ?? '1/1').split('/').map(Number);
  const count = Math.min(parts, list.length); // no part is empty
  const chosen = list.filter((_, index) => index % count === (number - 1) % count);
  for (const { title, run } of chosen.filter((one) => one.title.includes(process.env['ONLY'] ?? ''))) {
    await machine.begin();
    try {
      await run();
      process.stdout.write(`ok ${title}\n`);
    } catch (error) {
      process.exitCode = 1;
      process.stdout.write(
        `not ok ${title}\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
    }
    await machine.end();
  }
}
