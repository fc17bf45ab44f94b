/** A component with a lifecycle: started and stopped with its parent. */
export interface Service {
  readonly name: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * A service that consists of services. Children start in the order of their addition, each one awaited, and stop in
 * reverse order. Failures of a stop are collected, so that one failing child does not prevent the others from stopping.
 * A child added to a running tree starts at once; a removed child is stopped.
 *
 * Modelled on Twisted's MultiService, except that a start is awaited, and a failed start stops the children started before.
 */
export class ServiceTree implements Service {
  readonly name: string;
  private children: Service[] = [];
  private readonly started: Service[] = [];
  private running = false;

  constructor(name: string) {
    this.name = name;
  }

  /** Throws when a child has the same name, or the error of the child's start. */
  async add(child: Service): Promise<void> {
    if (this.find(child.name)) throw new Error(`service ${this.name} already has a child named ${child.name}`);
    this.children.push(child);
    if (!this.running) return;
    try {
      await this.startChild(child);
    } catch (error) {
      this.children = this.children.filter((other) => other !== child);
      throw error;
    }
  }

  /** Removes a child even when its stop fails. Throws the error of that stop. */
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
      throw new AggregateError(
        [error, ...failures],
        `${this.name}: a start failed, and so did stopping the other services`,
        {
          cause: error,
        },
      );
    }
  }

  /** Stops all children. Throws an AggregateError of the failures. */
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
