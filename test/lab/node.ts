import { readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { bundled } from '../support/bundle.ts';
import { Hopeless, until } from '../support/until.ts';
import { Agent } from './agent.ts';
import type { Answer } from './agent.ts';
import { LabDaemon } from './daemon.ts';
import { LabDisks } from './disks.ts';
import type { LabNetwork } from './network.ts';
import type { LabPlace } from './place.ts';
import { processorForMachine } from './processors.ts';
import { Resident } from './resident.ts';
import { labKernel } from './uml.ts';
import { patienceOfQuestionMs, silent, whatItDoes } from './what-it-does.ts';

/** A machine that answers nothing at all: what was to run on it says nothing about the product. */
export class SilentMachine extends Error {}

export interface NodeOptions {
  diskGiB: number;
  memory: string;
  systemd: boolean;
}

/** One machine of a lab. Its files are in memory: only its disks survive a power loss or a shutdown. */
export class LabNode {
  readonly name: string;
  readonly ip: string;
  #number: number;
  #place: LabPlace;
  #network: LabNetwork;
  #agent: Agent;
  #disks: LabDisks;
  #options: NodeOptions;
  #networkArguments: string[];
  #processor: number;
  #bundle: string;
  #kernel: Resident | undefined;

  static async create(place: LabPlace, network: LabNetwork, number: number, options: NodeOptions): Promise<LabNode> {
    const name = `node${number}`;
    const networkArguments = await network.addNode(number);
    const agent = await Agent.start(network, number, place.file(`${name}.sock`), place.file(`${name}-relay.log`));
    const disks = new LabDisks(place, name);
    await disks.add(options.diskGiB);
    const processor = await processorForMachine();
    const bundle = await bundled();
    return new LabNode({ number, place, network, agent, disks, options, networkArguments, processor, bundle });
  }

  constructor(parts: {
    number: number;
    place: LabPlace;
    network: LabNetwork;
    agent: Agent;
    disks: LabDisks;
    options: NodeOptions;
    networkArguments: string[];
    processor: number;
    bundle: string;
  }) {
    this.#number = parts.number;
    this.name = `node${parts.number}`;
    this.ip = parts.network.dataAddress(parts.number);
    this.#place = parts.place;
    this.#network = parts.network;
    this.#agent = parts.agent;
    this.#disks = parts.disks;
    this.#options = parts.options;
    this.#networkArguments = parts.networkArguments;
    this.#processor = parts.processor;
    this.#bundle = parts.bundle;
  }

  get isOn(): boolean {
    return this.#kernel?.running ?? false;
  }

  /** Process id, and process group, of the node's kernel on the host. */
  get pid(): number {
    if (!this.#kernel) throw new Error(`${this.name} has not been booted`);
    return this.#kernel.pid;
  }

  get #consoleFile(): string {
    return this.#place.file(`${this.name}-console.log`);
  }

  /** Returns lines of the console in which its kernel says that its own data are damaged. */
  async kernelDamage(): Promise<string[]> {
    const printed = await readFile(this.#consoleFile, 'utf8').catch(() => ''); // it was never on
    // Lockups are those of a machine that was paused, or had no processor for long.
    const isDamage = /^(?:BUG: (?!\w+ lockup)|Oops|Kernel panic)|: Bad (?:page|swap)|general protection/;
    return printed.split('\n').flatMap((line) => (isDamage.test(line) ? `${this.name}: ${line}` : []));
  }

  async boot(timeoutMs = 180_000): Promise<void> {
    if (this.isOn) throw new Error(`${this.name} is on already`);
    const consoleFile = this.#consoleFile;
    const from = await stat(consoleFile).then(
      ({ size }) => size,
      () => 0,
    );
    await rm(this.#place.file('uml', this.name), { recursive: true, force: true });
    const { command: uml, modules } = await labKernel();
    const kernelLine = ['-c', String(this.#processor), ...uml, ...this.#kernelArguments(modules)];
    const [command, args] = this.#network.inside('taskset', kernelLine);
    const kernel = await Resident.start(command, args, consoleFile);
    this.#kernel = kernel;
    void kernel.ended.then((how) => this.#agent.disconnect(`${this.name} is off (${how})`));
    await until(
      async () => {
        const printed = (await readFile(consoleFile)).subarray(from).toString();
        if (printed.includes('LAB READY')) return true;
        if (kernel.running && !printed.includes('LAB FAILED')) return false;
        throw new Hopeless(`${this.name} does not boot:\n${printed.slice(-3000)}`);
      },
      `${this.name} boots, see ${consoleFile}`,
      timeoutMs,
    );
    await until(async () => (await this.run('true', { timeoutMs: 30_000 })).status === 0, `${this.name} answers`);
  }

  /** Runs a shell script on the node, in the repository, with its node_modules/.bin first in the path. */
  async run(script: string, { timeoutMs = 180_000 }: { timeoutMs?: number } = {}): Promise<Answer> {
    if (!this.isOn) throw new Error(`${this.name} is off`);
    try {
      return await this.#agent.run(script, timeoutMs);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const found = await whatItDoes((ask) => this.#agent.run(ask, patienceOfQuestionMs));
      const Kind = found.startsWith(silent) ? SilentMachine : Error;
      throw new Kind(`${this.name}: ${message}, from: ${script.slice(0, 200)}\n${found}`, { cause: error });
    }
  }

  /** Returns the output of a script that must succeed, without trailing newlines. */
  async sh(script: string, options: { timeoutMs?: number } = {}): Promise<string> {
    const { status, output } = await this.run(script, options);
    if (status !== 0) throw new Error(`${this.name}: status ${status} from: ${script}\n${output}`);
    return output.trimEnd();
  }

  async start(name: string, script: string): Promise<LabDaemon> {
    return LabDaemon.start(this, name, script);
  }

  async readFile(file: string): Promise<string> {
    const { status, output } = await this.run(`cat '${file}'`);
    if (status !== 0) throw new Error(`${this.name}: ${output}`);
    return output;
  }

  /** Cuts the power: writes that were not synced are lost. */
  async powerOff(): Promise<void> {
    await this.#kernel?.kill();
  }

  /** Ends all processes of the node on the host. */
  async remove(): Promise<void> {
    await this.#kernel?.kill();
    await this.#agent.stop();
  }

  async shutdownClean(): Promise<void> {
    const how = this.#options.systemd ? 'systemctl poweroff' : 'sync; poweroff -f';
    // The node can be off before it replies; the end of its process shows that it is.
    await Promise.allSettled([this.run(`(${how}) >/dev/null 2>&1 &`)]);
    await this.#kernel?.end();
  }

  /** Cuts the node off from all others and from Redis, but not from the test. */
  async partition(): Promise<void> {
    await this.#network.unplug(this.#number);
  }

  async heal(): Promise<void> {
    await this.#network.plugIn(this.#number);
  }

  /** Pauses the whole machine until resume. */
  pause(): void {
    this.#kernel?.signal('SIGSTOP');
  }

  resume(): void {
    this.#kernel?.signal('SIGCONT');
  }

  /** Adds a disk, also while the node runs; returns its device. */
  async addDisk(gib = this.#options.diskGiB): Promise<string> {
    const device = await this.#disks.add(gib);
    if (this.isOn) {
      await this.#disks.plugInLast(this.#place.file('uml', this.name, 'mconsole'));
      await until(async () => (await this.run(`test -b ${device}`)).status === 0, `${device} on ${this.name}`);
    }
    return device;
  }

  #kernelArguments(modules: string): string[] {
    return [
      `umid=${this.name}`,
      `uml_dir=${this.#place.file('uml')}`,
      `mem=${this.#options.memory}`,
      ...this.#disks.kernelArguments(),
      ...this.#networkArguments,
      'rootfstype=hostfs',
      'rootflags=/',
      'ro',
      `init=${path.join(import.meta.dirname, 'init.sh')}`,
      `N=${this.#number}`,
      `BUNDLE=${this.#bundle}`,
      `MODULES=${modules}`,
      `INIT=${this.#options.systemd ? 'systemd' : 'agent'}`,
      'con=null',
      'con0=null,fd:1',
      'quiet',
    ];
  }
}
