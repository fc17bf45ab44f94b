import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Moment, type Plan, type Point, planFile, planSchema, traceBegin, traceFile, traceLine } from './plan.ts';

type Effect = Pick<Point, 'number' | 'name' | 'turn'>;
type Counted = Effect & { plan: Plan };

const kill = process.kill.bind(process); // before the wrapper

/** Counts the effects of a daemon, writes each to the trace, and kills the daemon at the effect of its plan. */
export class Points {
  private readonly directory: string;
  private plan: Plan | undefined;
  private count = 0;
  /** Number of occurrences of each effect. */
  private readonly turns = new Map<string, number>();
  /** A blocking read. */
  private waiting: string | undefined;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Restarts counting with the current plan; without a plan nothing is counted. */
  arm(): void {
    const file = join(this.directory, planFile);
    this.plan = existsSync(file) ? planSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : undefined;
    this.count = 0;
    this.turns.clear();
    writeFileSync(join(this.directory, traceFile), traceBegin);
    this.meetWaiting();
  }

  /** Counts one effect, synchronous or not. */
  around(name: string, work: () => unknown): unknown {
    const effect = this.begin(name);
    const result = work();
    if (result instanceof Promise) return result.finally(() => this.end(effect));
    this.end(effect);
    return result;
  }

  /** Counts an event from outside that the daemon has not processed yet. */
  arrival(name: string): void {
    this.begin(name);
  }

  /** A blocking read is an effect only if it returns something; its "before" is the wait. */
  async reading(name: string, work: () => unknown): Promise<unknown> {
    this.waiting = name;
    this.meetWaiting();
    try {
      const reply = await work();
      if (reply !== null) this.end(this.begin(name));
      return reply;
    } finally {
      this.waiting = undefined;
    }
  }

  private begin(name: string): Counted | undefined {
    if (!this.plan || this.plan.ignore.includes(name)) return undefined;
    const effect = { ...this.next(name), plan: this.plan };
    this.count = effect.number;
    this.turns.set(name, effect.turn);
    this.meet(effect, 'before');
    return effect;
  }

  private end(effect: Counted | undefined): void {
    // Effects under way when counting restarted are not counted.
    if (!effect || effect.plan !== this.plan) return;
    this.meet(effect, 'after');
    this.meetWaiting();
  }

  private meetWaiting(): void {
    if (this.waiting === undefined) return;
    const effect = this.next(this.waiting);
    if (this.isEnd(effect, 'before')) this.meet(effect, 'before');
  }

  private next(name: string): Effect {
    return { number: this.count + 1, name, turn: (this.turns.get(name) ?? 0) + 1 };
  }

  private isEnd({ name, turn }: Effect, moment: Moment): boolean {
    const { plan } = this;
    return plan !== undefined && plan.moment === moment && plan.name === name && plan.turn === turn;
  }

  /** Does not return at the point of the plan. */
  private meet(effect: Effect, moment: Moment): void {
    appendFileSync(join(this.directory, traceFile), traceLine({ ...effect, moment }));
    if (this.isEnd(effect, moment)) kill(process.pid, 'SIGKILL');
  }
}
