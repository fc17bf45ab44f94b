/** Something that runs: started once its parent starts, stopped when its parent stops. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A service made of services. Children start in the order in which they were added, each awaited before the next one
 * begins; they stop in reverse order, and every failure of a stop is collected, so that one bad child does not keep the
 * others running. A child added while the tree runs is started at once, a child removed is stopped.
 *
 * Unlike Twisted's MultiService, from which the idea comes, a start is awaited, and a start that fails stops what had
 * been started before it.
 */
export class ServiceTree implements Service {
  readonly name: string;
  private children: Service[] = [];
  private readonly started: Service[] = [];
  private running = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Throws when a child of that name is there already, or with what the child's own start throws. */
  async add(child: Service): Promise<void> {
    if (this.find(child.name)) throw new Error(`service ${this.name} has a child named ${child.name} already`);
    this.children.push(child);
    if (!this.running) return;
    try {
      await this.startChild(child);
    } catch (error) {
      this.children = this.children.filter((other) => other !== child);
      throw error;
    }
  }

  /** Throws what the child's stop throws; the child is no longer in the tree either way. */
  async remove(child: Service): Promise<void> {
    this.children = this.children.filter((other) => other !== child);
    const index = this.started.indexOf(child);
    if (index < 0) return;
    this.started.splice(index, 1);
    await child.stop();
  }

  find(name: string): Service | undefined {
    return this.children.find((child) => child.name === name);
  }

  async start(): Promise<void> {
    this.running = true;
    try {
      for (const child of this.children) await this.startChild(child);
    } catch (error) {
      const failures = await this.stopAll();
      if (failures.length === 0) throw error;
      throw new AggregateError([error, ...failures], `${this.name}: a start failed, and stopping the rest failed too`, {
        cause: error,
      });
    }
  }

  /** Throws an AggregateError of all that failed, after everything was told to stop. */
  async stop(): Promise<void> {
    const failures = await this.stopAll();
    if (failures.length > 0)
      throw new AggregateError(failures, `${this.name}: ${failures.length} services did not stop cleanly`);
  }

  private async startChild(child: Service): Promise<void> {
    await child.start();
    this.started.push(child);
  }

  private async stopAll(): Promise<unknown[]> {
    this.running = false;
    const failures: unknown[] = [];
    for (let child = this.started.pop(); child; child = this.started.pop()) {
      try {
        await child.stop();
      } catch (error) {
        failures.push(error);
      }
    }
    return failures;
  }
}
