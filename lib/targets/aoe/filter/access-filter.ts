import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ethernetAddresses } from '../../../aoe/ethernet.ts';
import { Semaphore } from '../../../concurrency.ts';
import { errors } from '../../../errors.ts';
import type { Processes } from '../../../process.ts';
import { type Admitted, emptyProgram } from './program.ts';
import { Rules } from './rules.ts';
import { type FilterGroup, Tc } from './tc.ts';

export interface AccessFilterOptions {
  interface: string;
  /** Owner of the exports: access filters of different owners do not affect each other. */
  owner: string;
}

/**
 * Filters frames in the kernel, in front of vblade: only admitted hosts reach an export, and only to read, to write or to query
 * the configuration. vblade itself obeys any sender's commands that change access. The filters outlive the daemon, as exports do.
 */
export class AccessFilter {
  private readonly interface: string;
  private readonly rules: Rules;
  private readonly tc: Tc;
  /** One batch at a time; changes meanwhile are in the next one. */
  private readonly turn = new Semaphore(1);
  private readonly dirty = new Set<number>();
  private flushing: Promise<void> | undefined;
  private hasBase = false;
  /** Filters of other programs that ran before these when they were last read, and when they were read before that. */
  private before: readonly FilterGroup[] = [];
  private former: readonly FilterGroup[] = [];

  constructor({ interface: name, owner }: AccessFilterOptions, processes: Processes) {
    this.interface = name;
    this.rules = new Rules(owner);
    this.tc = new Tc(processes, name);
  }

  /**
   * Adopts the filters of earlier daemons: correct filters of running exports remain without interruption. Throws NoAccessFilter, CommandNotFound.
   */
  async setup(running: ReadonlyMap<string, readonly string[]>): Promise<void> {
    await this.prove();
    for (const [address, hosts] of running) this.rules.set(address, admittedOf(hosts));
    await this.turn.run(() => this.correct());
  }

  /** Admits these hosts to the export, all when the list is empty. In effect when it resolves. Throws NoAccessFilter. */
  admit(address: string, hosts: readonly string[]): Promise<void> {
    return this.set(address, admittedOf(hosts));
  }

  /** Admits no host to the export. In effect when it resolves. Throws NoAccessFilter. */
  close(address: string): Promise<void> {
    return this.rules.admitted(address) === undefined ? Promise.resolve() : this.set(address, 'none');
  }

  /** Removes the rules of an ended export. Throws NoAccessFilter. */
  async remove(address: string): Promise<void> {
    if (this.rules.admitted(address) === undefined) return;
    this.dirty.add(this.rules.delete(address));
    await this.flush();
  }

  /**
   * Compares the kernel's filters with the expected ones and corrects them. Returns the differences, a line each. Throws
   * NoAccessFilter when they cannot be read or corrected, or a filter of another program runs before them.
   */
  async check(): Promise<string[]> {
    const differences = await this.turn.run(() => this.correct());
    if (!this.rules.isEmpty) await this.checkForeign();
    return differences;
  }

  /** Throws NoAccessFilter when another program decides about frames before these filters. */
  private async checkForeign(): Promise<void> {
    const { interface: name } = this;
    const fail = (what: string, hint: string) =>
      errors.noAccessFilter(name, `${what} of another program runs first and can admit any host`, hint);
    // Twice: those of another owner can be half made when they are read.
    const other = this.before.find(({ pref, protocol }) =>
      this.former.some((one) => one.pref === pref && one.protocol === protocol),
    );
    if (other) {
      const { pref, protocol, kind } = other;
      const removal = `tc filter del dev ${name} ingress pref ${pref} protocol ${protocol}`;
      const hint = `remove it (${removal}), or add it with pref 60000`;
      throw fail(`filter pref ${pref} (protocol ${protocol}, ${kind})`, hint);
    }
    const [program] = await this.tc.tcxPrograms();
    if (program === undefined) return;
    const hint = `exclude ${name} from what attaches it (in Cilium: "devices"); all such programs: bpftool net show dev ${name}`;
    throw fail(`BPF program ${program.name} (id ${program.id}, attached by tcx)`.replace('  ', ' '), hint);
  }

  /** Ends helper processes; the filters remain. */
  async end(): Promise<void> {
    await this.tc.close();
  }

  private async set(address: string, admitted: Admitted): Promise<void> {
    const before = this.rules.admitted(address);
    const group = this.rules.set(address, admitted);
    if (this.hasBase && String(before) === String(admitted) && !this.dirty.has(group) && !this.flushing) return;
    this.dirty.add(group);
    await this.flush();
  }

  /** Changes during a batch share the next one. */
  private async flush(): Promise<void> {
    this.flushing ??= Promise.resolve().then(() => this.turn.run(() => this.applyChanges()));
    await this.flushing;
  }

  private async correct(): Promise<string[]> {
    this.hasBase = false;
    this.former = this.before;
    this.before = [];
    if (!this.hasInterface) return [];
    const vlans = await servedVlans(this.interface);
    const shown = await this.tc.show();
    this.before = this.rules.before(shown);
    const found = shown.filters.filter(({ pref }) => this.rules.prefs.includes(pref));
    const { differences, lines } = this.rules.compare(found, this.interface, vlans);
    await this.apply(lines);
    return differences;
  }

  private async applyChanges(): Promise<void> {
    this.flushing = undefined;
    if (this.rules.isEmpty || !this.hasInterface) return void (await this.correct());
    const groups = [...this.dirty].map((group) => this.rules.groupLine(group, this.interface));
    if (!this.hasBase) {
      const base = this.rules.baseLines(this.interface, await servedVlans(this.interface));
      return this.apply([...base, ...groups]);
    }
    // The interface can be another one of its name since: its filters went with the former one.
    await this.apply(groups).catch(() => this.correct());
  }

  /** Runs lines that bring the filters to the present rules. Groups that change meanwhile, or all if it fails, remain to be applied. */
  private async apply(lines: readonly string[]): Promise<void> {
    const groups = [...this.dirty];
    const hasBase = !this.rules.isEmpty;
    this.dirty.clear();
    try {
      if (lines.length > 0) await this.tc.batch(lines);
      this.hasBase = hasBase;
    } catch (error) {
      for (const group of groups) this.dirty.add(group);
      this.hasBase = false;
      throw error;
    }
  }

  /** Filters disappear with their interface, which then receives nothing; `check` restores them when it returns. */
  private get hasInterface(): boolean {
    return existsSync(`/sys/class/net/${this.interface}`);
  }

  /** Throws NoAccessFilter when this machine does not support an access filter. */
  private async prove(): Promise<void> {
    const [pref] = this.rules.prefs;
    const place = `dev ${this.interface} ingress protocol 0x88a2 pref ${pref + 3} handle 1 bpf`;
    await this.tc.batch([
      `qdisc add dev ${this.interface} clsact`,
      `filter replace ${place} direct-action bytecode '${emptyProgram},'`,
      `filter del ${place}`,
    ]);
  }
}

function admittedOf(hosts: readonly string[]): Admitted {
  return hosts.length === 0 ? 'all' : ethernetAddresses(hosts);
}

/** Returns the VLANs with their own interface on this one. */
async function servedVlans(networkInterface: string): Promise<number[]> {
  const text = await readFile('/proc/net/vlan/config', 'utf8').catch(() => '');
  const rows = text.matchAll(/^\S+ *\| *(?<id>\d+) *\| *(?<on>\S+)/gm);
  return Array.from(rows, ({ groups }) => groups)
    .filter((row) => row?.['on'] === networkInterface)
    .map((row) => Number(row?.['id']));
}
