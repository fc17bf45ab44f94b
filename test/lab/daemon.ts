import type { LabNode } from './node.ts';

/** A process that a test started on a node, detached from the test's connection. */
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

  async stop(timeoutMs = 120_000): Promise<void> {
    await this.signal('TERM');
    await this.ended(timeoutMs);
  }

  async kill(): Promise<void> {
    await this.signal('KILL');
    await this.ended();
  }

  /**
   * Whether its log has these words, at once or later; not, where it ends or the time is up without them. One process on the node
   * waits: to ask again and again would take the node's one processor from the daemon.
   */
  async says(words: string, timeoutMs: number): Promise<boolean> {
    const tail = `tail -n +1 -s 0.1 --pid=${this.pid} -f /run/lab/${this.name}.log`;
    return (await this.within(timeoutMs, tail, ` | grep -q -m 1 -F '${words}'`)) === 0;
  }

  /** Throws when the time limit expires. */
  async ended(timeoutMs = 120_000): Promise<void> {
    const status = await this.within(timeoutMs, `tail -s 0.05 --pid=${this.pid} -f /dev/null`);
    if (status !== 0) throw new Error(`${this.name} on ${this.#node.name} did not end within ${timeoutMs} ms`);
  }

  private async within(timeoutMs: number, command: string, rest = ''): Promise<number> {
    const script = `timeout ${timeoutMs / 1000} ${command}${rest}`;
    return (await this.#node.run(script, { timeoutMs: timeoutMs + 10_000 })).status;
  }
}
