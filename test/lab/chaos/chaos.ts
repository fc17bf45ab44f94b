import { setTimeout as pause } from 'node:timers/promises';
import { type VolumeState, isTransitional } from '../../../lib/models/volume-state.ts';
import { everyNode } from '../../../lib/models/node.ts';
import { until } from '../../support/until.ts';
import { StorageCluster } from '../storage-cluster.ts';
import { CheckedWriter } from './checked-writer.ts';
import { allDisagreements } from './checks.ts';
import { Client } from './client.ts';
import { breakThings, networkFaults, nodeFaults, redisFaults } from './faults.ts';
import { HostClient } from './host-client.ts';
import { Journal } from './journal.ts';
import { codeOf } from './outcome.ts';
import { Random } from './random.ts';

export interface ChaosOptions {
  minutes: number;
  seed: number;
  /** Number of storage nodes; another machine is the writing host. */
  nodes: number;
  print: (line: string) => void;
  /** Receives the log of a node's daemons. */
  keep: (node: string, log: string) => Promise<void>;
}

const reportInterval = 2;
const flags = { report_interval: String(reportInterval), node_down_time: '10', log_level: 'debug' };
const clients = 3;
const quietMs = 180_000;

/** Injects faults under load for a while, then checks for violations, which the journal lists. */
export async function runChaos(options: ChaosOptions): Promise<Journal> {
  const { nodes, print } = options;
  const cluster = await StorageCluster.create({
    nodes: nodes + 1,
    storageNodes: nodes,
    flags,
    keepState: true,
    sentinels: true,
    restarts: true,
  });
  try {
    const chaos = new Chaos(cluster, options, new Journal(print));
    return await chaos.run();
  } finally {
    await cluster.close();
  }
}

class Chaos {
  private readonly cluster: StorageCluster;
  private readonly options: ChaosOptions;
  private readonly journal: Journal;
  private readonly host: number;
  private writers: { id: string; writer: CheckedWriter }[] = [];
  private clients: Client[] = [];

  constructor(cluster: StorageCluster, options: ChaosOptions, journal: Journal) {
    this.cluster = cluster;
    this.options = options;
    this.journal = journal;
    this.host = options.nodes + 1;
  }

  async run(): Promise<Journal> {
    const { journal } = this;
    try {
      // Faults can follow each other closely: the host's kernel waits longer than its default of 180 s before it fails a device.
      await this.cluster.node(this.host).sh('echo 600 >/sys/module/aoe/parameters/aoe_deadsecs');
      this.writers = await Promise.all(this.numbers.map((number) => this.startWriter(number)));
      journal.note('faults begin');
      await this.breakUnderLoad();
      journal.note('faults have ended');
      await this.quiet();
      await this.compare('after the faults');
      for (const client of this.clients) await client.check();
      await this.endWriters();
      await this.deleteAll();
      await this.compare('after everything was deleted');
    } catch (error) {
      this.fail(error);
    }
    await Promise.all(this.numbers.map((number) => this.keepLog(number)));
    return journal;
  }

  private fail(error: unknown): void {
    this.journal.violation(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }

  private get numbers(): number[] {
    return Array.from({ length: this.options.nodes }, (_, index) => index + 1);
  }

  private async startWriter(number: number): Promise<{ id: string; writer: CheckedWriter }> {
    const { id } = await this.cluster.on(this.host).volume(`create 1 --node node${number} --name writer${number}`);
    const { device = '' } = await this.cluster.on(this.host).volume(`attach ${id} --host-device`);
    return { id, writer: await CheckedWriter.start(this.cluster.node(this.host), device, 2 ** 30) };
  }

  private async breakUnderLoad(): Promise<void> {
    const { cluster, journal } = this;
    const { seed, minutes } = this.options;
    const begin = performance.now();
    const end = begin + minutes * 60_000;
    const isOver = () => performance.now() > end || journal.violations.length > 0;
    const stream = (name: string) => new Random(seed, name);
    if (!cluster.sentinels) throw new Error('the cluster has no Sentinels');
    const shared = { journal, isOver };
    const breakers = this.numbers.map((number) => {
      const where = `node${number}`;
      const keep = (log: string) => this.options.keep(where, log);
      const faults = nodeFaults(cluster, number, stream(`${where} vblades`), keep);
      return breakThings({ where, faults, random: stream(where), pauses: [4, 25], ...shared });
    });
    const redis = redisFaults(cluster.sentinels);
    breakers.push(breakThings({ where: 'redis', faults: redis, random: stream('redis'), pauses: [10, 45], ...shared }));
    const network = networkFaults(cluster.lab.network);
    breakers.push(
      breakThings({ where: 'network', faults: network, random: stream('network'), pauses: [30, 120], ...shared }),
    );
    this.clients = Array.from({ length: clients }, (_, index) => {
      const name = `client${index + 1}`;
      const { store, commands } = cluster;
      const names = this.numbers.map((number) => `node${number}`);
      return new Client({ name, store, commands, nodes: names, random: stream(name), journal });
    });
    const all = [
      ...breakers,
      ...this.clients.map((client) => client.work(isOver)),
      new HostClient(cluster, this.host, stream('host'), journal).work(isOver),
      this.watchWriters(isOver),
    ];
    // A failure is a violation and ends all others, which remove their faults first.
    await Promise.all(all.map((one) => one.catch((error: unknown) => this.fail(error))));
    journal.minutes = (performance.now() - begin) / 60_000;
  }

  /** An I/O error ends the run at once. */
  private async watchWriters(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await pause(5000);
      for (const { writer } of this.writers) {
        const { error } = await writer.state();
        if (error !== undefined) this.journal.violation(`the writer to ${writer.device} has failed: ${error}`);
      }
    }
  }

  /** Resolves when everything runs, nothing is under way, and every node has made two reports since. */
  private async quiet(): Promise<void> {
    const { cluster, journal } = this;
    const begin = performance.now();
    await cluster.sentinels?.whole();
    await until(
      async () => (await everyNode(cluster.store)).nodes.every(({ state }) => state === 'up'),
      'every node is up',
      quietMs,
    );
    const busy = async () => (await cluster.records()).filter(isTransitional);
    await until(async () => (await busy()).length === 0, 'nothing is under way', quietMs).catch(async (error) => {
      for (const { id, status, attachStatus, node } of await busy()) {
        journal.violation(`stuck: volume ${id} of ${node} is ${status}, ${attachStatus}`);
      }
      throw error;
    });
    journal.note('every node is up, nothing is under way');
    for (const { writer } of this.writers) await writer.goesOn();
    journal.note(`all is quiet after ${((performance.now() - begin) / 1000).toFixed(1)} s`);
    await pause(2 * reportInterval * 1000 + 2000);
  }

  private async compare(when: string): Promise<void> {
    for (const problem of await allDisagreements(this.cluster, this.options.nodes)) {
      this.journal.violation(`${when}: ${problem}`);
    }
  }

  private async endWriters(): Promise<void> {
    await Promise.all(this.writers.map(({ id, writer }) => this.endWriter(id, writer)));
  }

  private async endWriter(id: string, writer: CheckedWriter): Promise<void> {
    const { error, writes, verified, blockBytes, longestMs } = await writer.end();
    const mib = (blocks: number) => Math.round((blocks * blockBytes) / 2 ** 20);
    const seconds = (longestMs / 1000).toFixed(1);
    this.journal.figure(
      `writer of ${writer.device}: ${mib(writes)} MiB written, ${mib(verified)} MiB read back; the longest wait was ${seconds} s`,
    );
    if (error === undefined) await this.cluster.on(this.host).output(`volume detach ${id}`);
    else this.journal.violation(`the writer to ${writer.device} has failed: ${error}`);
  }

  private async deleteAll(): Promise<void> {
    const { cluster, journal } = this;
    await Promise.all((await cluster.records()).map((volume) => this.delete(volume)));
    const left = (await cluster.records()).length;
    if (left > 0) journal.violation(`${left} records are left after everything was deleted`);
    for (const number of this.numbers) {
      const rest = [...(await cluster.logicalVolumes(number)), ...(await cluster.vblades(number))];
      for (const one of rest) journal.violation(`node${number} still has ${one}`);
    }
  }

  private async delete({ id, attachStatus }: VolumeState): Promise<void> {
    const { commands } = this.cluster;
    const deadlineMs = 120_000;
    const detached = attachStatus === 'attached' ? await codeOf(commands.detach(id, { deadlineMs })) : undefined;
    const code = detached ?? (await codeOf(commands.delete(id, { deadlineMs })));
    if (code !== undefined) this.journal.violation(`volume ${id} cannot be deleted: ${code}`);
  }

  private async keepLog(number: number): Promise<void> {
    try {
      await this.options.keep(`node${number}`, await this.cluster.daemon(number).log());
    } catch (error) {
      this.journal.note(`no log of node${number}: ${String(error)}`);
    }
  }
}
