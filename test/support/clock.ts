const RealDate = Date;

/** The clock of this process, which a test sets: what is measured by performance.now() and by Redis does not change. */
export class Clock {
  private offsetMs = 0;

  constructor() {
    const now = () => RealDate.now() + this.offsetMs;
    globalThis.Date = new Proxy(RealDate, {
      construct: (target, args: []) => (args.length === 0 ? new target(now()) : new target(...args)),
      get: (target, name, receiver) => (name === 'now' ? now : Reflect.get(target, name, receiver)),
    });
  }

  jump(ms: number): void {
    this.offsetMs += ms;
  }

  /** It is right again. */
  restore(): void {
    globalThis.Date = RealDate;
  }
}
