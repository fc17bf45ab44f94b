import { join } from 'node:path';
import { silentLog } from '../../lib/log.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { parseArguments } from '../../lib/targets/aoe/arguments.ts';
import { type Vblade, findVblades } from '../../lib/targets/aoe/vblade-process.ts';
import { Tgtadm } from '../../lib/targets/iscsi-tgt/tgtadm.ts';
import { Tgtd } from '../../lib/targets/iscsi-tgt/tgtd.ts';
import type { FoundExport, Target } from '../../lib/targets/target.ts';
import { until } from '../support/until.ts';

/** An export as a crash test sees it, without the daemon. */
export interface HostExport {
  id: string;
  /** The process that serves it. */
  pid: number;
  /** All that must be the same with and without a crash. */
  line: string;
  found: Pick<FoundExport, 'id' | 'address'>;
}

/** The exports of a place on this machine. */
export interface HostExports {
  list(): Promise<HostExport[]>;
  /** Ends the export of a volume behind the daemon's back. */
  break(id: string): Promise<void>;
  /** Processes that serve exports. */
  pids(): Promise<number[]>;
}

export function hostExports(target: Target, root: string, port: number): HostExports | undefined {
  if (target.addressing === 'none') return undefined;
  return target.name === 'aoe' ? new VbladeExports(root) : new TgtExports(target, join(root, 'state', 'iscsi'), port);
}

class VbladeExports implements HostExports {
  private readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  async list(): Promise<HostExport[]> {
    return (await this.vblades()).flatMap(({ pid, args }) => {
      const found = parseArguments(args);
      if (!found) return [];
      const id = found.path.slice(-36);
      return [{ id, pid, line: args.join(' '), found: { ...found, id } }];
    });
  }

  async break(id: string): Promise<void> {
    const killed = (await this.vblades()).filter(({ args }) => args.at(-1)?.endsWith(id)).map(({ pid }) => pid);
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    // The daemon can have started another one meanwhile.
    await until(async () => !(await this.vblades()).some(({ pid }) => killed.includes(pid)), 'the vblade is gone');
  }

  async pids(): Promise<number[]> {
    return (await this.vblades()).map(({ pid }) => pid);
  }

  private async vblades(): Promise<Vblade[]> {
    return (await findVblades()).filter(({ args }) => args.at(-1)?.startsWith(this.root));
  }
}

class TgtExports implements HostExports {
  private readonly target: Target;
  private readonly tgtd: Tgtd;
  private readonly adm: Tgtadm;

  constructor(target: Target, directory: string, port: number) {
    const processes = new ChildProcesses();
    this.target = target;
    this.tgtd = new Tgtd({ portal: { ip: '127.0.0.1', port }, directory }, { processes, log: silentLog });
    this.adm = new Tgtadm(processes, join(directory, 'tgtd.sock'));
  }

  async list(): Promise<HostExport[]> {
    const daemon = await this.tgtd.find();
    const found = daemon ? await this.target.listExports() : [];
    return found.flatMap(({ id, chap, ...rest }) => {
      const line = `${JSON.stringify(rest)} ${chap === undefined ? 'open' : 'with a secret'}`;
      return id === undefined || !daemon ? [] : [{ id, pid: daemon.pid, line, found: { ...rest, id } }];
    });
  }

  async break(id: string): Promise<void> {
    const found = (await this.adm.targets()).find(({ name }) => name.endsWith(id));
    if (found) await this.adm.deleteTarget(found.tid);
  }

  async pids(): Promise<number[]> {
    const daemon = await this.tgtd.find();
    return daemon ? [daemon.pid] : [];
  }
}
