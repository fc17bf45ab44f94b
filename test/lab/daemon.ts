import { until } from '../until.ts';
import type { LabNode } from './node.ts';

/** A process that a test has started on a node, detached from the test's connection. */
export class LabDaemon {
  readonly name: string;
  readonly pid: number;
  #node: LabNode;

  /** Begin the script's last line with exec: then signals reach the program itself. */
  static async start(node: LabNode, name: string, script: string): Promise<LabDaemon> {
    const base = `/run/lab/${name}`;
    const encoded = Buffer.from(script).toString('base64');
    const pid = await node.sh(`mkdir -p /run/lab
echo ${encoded} | base64 -d >${base}.sh
setsid sh ${base}.sh </dev/null >>${base}.log 2>&1 &
echo $! | tee ${base}.pid`);
    return new LabDaemon(node, name, Number(pid));
  }

  constructor(node: LabNode, name: string, pid: number) {
    this.#node = node;
    this.name = name;
    this.pid = pid;
  }

  async running(): Promise<boolean> {
    return (await this.#node.run(`kill -0 ${this.pid}`)).status === 0;
  }

  async log(): Promise<string> {
    return this.#node.readFile(`/run/lab/${this.name}.log`);
  }

  async signal(signal: 'TERM' | 'KILL' | 'INT' | 'HUP' | 'STOP' | 'CONT'): Promise<void> {
    await this.#node.run(`kill -${signal} ${this.pid}`);
  }

  async stop(timeoutMs = 15_000): Promise<void> {
    await this.signal('TERM');
    await this.ended(timeoutMs);
  }

  async kill(): Promise<void> {
    await this.signal('KILL');
    await this.ended();
  }

  async ended(timeoutMs = 15_000): Promise<void> {
    await until(async () => !(await this.running()), `${this.name} on ${this.#node.name} ends`, timeoutMs);
  }
}
