/** Number of runs of an operation, and its failures. */
interface Tally {
  done: number;
  failed: Map<string, number>;
  longestMs: number;
}

/** The events of a run, a line each, and its figures. */
export class Journal {
  readonly violations: string[] = [];
  /** Total duration of the faults. */
  minutes = 0;
  private readonly faults = new Map<string, number>();
  private readonly operations = new Map<string, Tally>();
  private readonly figures: string[] = [];
  private readonly begin = performance.now();
  private readonly print: (line: string) => void;

  constructor(print: (line: string) => void) {
    this.print = print;
  }

  note(text: string): void {
    const seconds = ((performance.now() - this.begin) / 1000).toFixed(1).padStart(7);
    this.print(`${seconds} ${text}`);
  }

  fault(kind: string, where: string): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    this.note(`${where}: ${kind}`);
  }

  /** Runs an operation and counts its result; returns the code of its failure, or undefined. */
  async operation(name: string, volume: string, work: () => Promise<string | undefined>): Promise<string | undefined> {
    const begin = performance.now();
    const code = await work();
    const ms = performance.now() - begin;
    const tally = this.operations.get(name) ?? { done: 0, failed: new Map(), longestMs: 0 };
    this.operations.set(name, tally);
    tally.longestMs = Math.max(tally.longestMs, ms);
    if (code === undefined) tally.done += 1;
    else tally.failed.set(code, (tally.failed.get(code) ?? 0) + 1);
    this.note(`${name} ${volume}: ${code ?? 'done'}, ${(ms / 1000).toFixed(1)} s`);
    return code;
  }

  violation(text: string): void {
    this.violations.push(text);
    this.note(`VIOLATION: ${text}`);
  }

  /** A line for the summary. */
  figure(text: string): void {
    this.figures.push(text);
    this.note(text);
  }

  /** A line for each kind of fault and operation. */
  summary(): string[] {
    const faults = [...this.faults].toSorted(([one], [other]) => one.localeCompare(other));
    const count = faults.reduce((sum, [, times]) => sum + times, 0);
    const operations = [...this.operations].map(([name, { done, failed, longestMs }]) => {
      const codes = [...failed].map(([code, times]) => `, ${times} ${code}`).join('');
      return `${name}: ${done} done${codes}; the longest took ${(longestMs / 1000).toFixed(1)} s`;
    });
    return [
      `${this.minutes.toFixed(1)} minutes, ${count} faults: ${faults.map(([kind, times]) => `${times} × ${kind}`).join(', ')}`,
      ...operations,
      ...this.figures,
    ];
  }
}
