import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { existsSync } from 'node:fs';
import { randomInt, randomUUID } from 'node:crypto';
import { formatAddress } from '../../../../lib/aoe/address.ts';
import { type Log, silentLog } from '../../../../lib/log.ts';
import { ChildProcesses, type Processes } from '../../../../lib/process.ts';
import { type Vblade, findVblades } from '../../../../lib/targets/aoe/vblade-process.ts';
import { AoeTarget, type AoeTargetOptions } from '../../../../lib/targets/aoe/target.ts';
import { removeAccessFilter } from '../../../support/access-filter.ts';
import { until } from '../../../support/until.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';

/** Why real exports cannot be made here; undefined when they can. */
export const cannotExport =
  process.getuid?.() !== 0
    ? 'needs root'
    : ['/usr/sbin/vblade', '/usr/bin/vblade'].some(existsSync)
      ? undefined
      : 'needs vblade';

/** A state directory with volumes of 1 MiB in files, exported by real vblades on loopback. */
export class Place {
  readonly directory: string;
  private readonly targets: AoeTarget[] = [];
  /** Random, so that runs side by side do not answer for each other. */
  readonly shelf = randomInt(1, 65_000);

  static async create(): Promise<Place> {
    return new Place(await mkdtemp(join(tmpdir(), 'blockstore-aoe-')));
  }

  constructor(directory: string) {
    this.directory = directory;
  }

  /** A target as a daemon that has just started has it; not yet set up. */
  target(
    options: Partial<AoeTargetOptions> = {},
    { processes = new ChildProcesses(), log = silentLog }: { processes?: Processes; log?: Log } = {},
  ): AoeTarget {
    const { directory: stateDir } = this;
    const target = new AoeTarget(
      {
        interface: 'lo',
        durability: 'sync',
        stateDir,
        numShellTries: 1,
        unfiltered: false,
        supervisor: 'detached',
        ...options,
      },
      { processes, log },
    );
    this.targets.push(target);
    return target;
  }

  async readyTarget(options: Partial<AoeTargetOptions> = {}, context: { log?: Log } = {}): Promise<AoeTarget> {
    const target = this.target(options, context);
    await target.setup();
    return target;
  }

  async volume(slot: number): Promise<ExportSpec> {
    const id = randomUUID();
    const path = join(this.directory, `volume-${id}`);
    await writeFile(path, Buffer.alloc(2 ** 20));
    return { id, path, address: formatAddress({ shelf: this.shelf, slot }), readOnly: false, hosts: [] };
  }

  /** Starts a vblade by hand, which is nobody's. */
  async vbladeOf(args: readonly string[]): Promise<void> {
    const vblade = spawn('vblade', args, { stdio: 'ignore' });
    await once(vblade, 'spawn');
    await until(async () => (await findVblades()).some(({ pid }) => pid === vblade.pid), 'the vblade runs');
  }

  /** The vblades that serve something of this place. */
  async vblades(): Promise<Vblade[]> {
    return (await findVblades()).filter((vblade) => vblade.args.at(-1)?.startsWith(this.directory));
  }

  /** The only one. */
  async vblade(): Promise<Vblade> {
    const [vblade, ...others] = await this.vblades();
    if (!vblade || others.length > 0) throw new Error(`${others.length + (vblade ? 1 : 0)} vblades run, not one`);
    return vblade;
  }

  async remove(): Promise<void> {
    for (const target of this.targets) await target.close();
    for (const vblade of await this.vblades()) process.kill(vblade.pid, 'SIGKILL');
    await removeAccessFilter(join(this.directory, 'exports'));
    await rm(this.directory, { recursive: true, force: true });
  }
}
