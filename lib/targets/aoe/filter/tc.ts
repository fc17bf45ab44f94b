import { fileURLToPath } from 'node:url';
import { type BlockstoreError, errors } from '../../../errors.ts';
import type { Processes } from '../../../process.ts';
import { Helper } from '../helper.ts';

const script = fileURLToPath(new URL('tc.pl', import.meta.url));
const answerMs = 20_000;

/** A filter on the ingress of an interface. */
export interface Filter {
  pref: number;
  handle: number;
  bytecode: string;
}

/** Filters of one priority, of any kind and program. */
export interface FilterGroup {
  pref: number;
  protocol: string;
  kind: string;
}

/** A program that runs on the frames of an interface before all filters of tc. */
export interface TcxProgram {
  id: number;
  /** '' when the program has none, or the kernel does not give it. */
  name: string;
}

/** The `tc` of iproute2. */
export class Tc {
  private readonly helper: Helper;
  private readonly interface: string;

  constructor(processes: Processes, networkInterface: string) {
    this.interface = networkInterface;
    this.helper = new Helper(processes, {
      command: 'perl',
      args: [script],
      debianPackage: 'perl-base',
      asRoot: process.getuid?.() !== 0,
      failure: (reason) => errors.noAccessFilter(networkInterface, reason),
      missing: errors.commandMissing,
    });
  }

  /**
   * Runs all lines in order, also after a failure. Throws NoAccessFilter with the reason of the first failure, except that of a
   * deletion, since absent is success.
   */
  async batch(lines: readonly string[]): Promise<void> {
    const { output } = await this.run(['-force', '-batch', '-'], lines.join('\n'));
    const failed = output.flatMap((line, index) => {
      const number = /^Command failed .*:(\d+)$/.exec(line)?.[1];
      return number === undefined
        ? []
        : [{ line: lines[Number(number) - 1] ?? '', reason: reasonBefore(output, index) }];
    });
    const failure = failed.find(({ line, reason }) => !isHarmless(line, reason));
    if (failure) throw this.failure(failure.reason);
  }

  /** Returns the filters of these preferences. An interface without filters, or that does not exist, has none. Throws NoAccessFilter. */
  async filters(prefs: readonly number[]): Promise<Filter[]> {
    const { filters } = await this.show();
    return filters.filter(({ pref }) => prefs.includes(pref));
  }

  /** Returns the filters with bytecode, and every priority that has filters. Throws NoAccessFilter. */
  async show(): Promise<{ filters: Filter[]; groups: FilterGroup[] }> {
    const { output, status } = await this.run(['filter', 'show', 'dev', this.interface, 'ingress'], '');
    if (status !== 0 && !output.some((line) => /Cannot find device|Parent Qdisc/.test(line))) {
      throw errors.noAccessFilter(this.interface, output.join('; ') || `tc ended with ${status}`);
    }
    const groups = output.flatMap((line) => {
      const [, protocol, pref, kind] = /^filter .*?protocol (\S+) pref (\d+) (\S+)(?: chain 0)? *$/.exec(line) ?? [];
      return protocol === undefined || kind === undefined ? [] : [{ pref: Number(pref), protocol, kind }];
    });
    const filters = output.flatMap((line) => {
      const [, pref, handle, bytecode] =
        / pref (\d+) bpf .*handle (0x[0-9a-f]+) direct-action .*bytecode '([^']*)'/.exec(line) ?? [];
      if (handle === undefined || bytecode === undefined) return [];
      return [{ pref: Number(pref), handle: Number(handle), bytecode }];
    });
    return { filters, groups };
  }

  /** Returns the programs attached by tcx, which is newer than tc; none where the kernel does not list them. Throws NoAccessFilter. */
  async tcxPrograms(): Promise<TcxProgram[]> {
    const { output } = await this.run(['tcx', this.interface], '');
    return output.map((line) => {
      const [id = '', name = ''] = line.split(' ');
      return { id: Number(id), name };
    });
  }

  close(): Promise<void> {
    return this.helper.close(answerMs);
  }

  private failure(reason: string): BlockstoreError {
    if (!/block is shared/i.test(reason)) return errors.noAccessFilter(this.interface, reason);
    const hint = `another program shares the filters of ${this.interface}; remove that: tc qdisc del dev ${this.interface} clsact`;
    return errors.noAccessFilter(this.interface, reason, hint);
  }

  private async run(args: readonly string[], input: string): Promise<{ output: string[]; status: number }> {
    const lines = await this.helper.request([input, ...args], answerMs);
    const [, status = ''] = /^done (\d+)$/.exec(lines.pop() ?? '') ?? [];
    const output = lines.map((line) => line.replace(/^> ?/, ''));
    if (status === '127') throw errors.commandMissing('tc', 'iproute2');
    return { output, status: Number(status) };
  }
}

/** tc prints the reason before the number of the failed line. */
function reasonBefore(output: readonly string[], index: number): string {
  const reasons = output.slice(0, index).filter((line) => !/^(We have an error|Command failed)/.test(line));
  return (reasons.at(-1) ?? '').replace(/^(Error|RTNETLINK answers): /, '') || 'tc gave no reason';
}

function isHarmless(line: string, reason: string): boolean {
  if (line.startsWith('filter del')) return /not found|Invalid handle|Cannot find|Parent Qdisc/i.test(reason);
  return line.startsWith('qdisc add') && /Exclusivity flag|File exists/.test(reason);
}
