import { setTimeout as pause } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import type { StorageCluster } from '../storage-cluster.ts';
import type { Journal } from './journal.ts';
import { isExpected, settledRecord } from './outcome.ts';
import type { Random } from './random.ts';

/** Additional errors that attaching to a host can end with during faults. */
/** WrongStatus: an attach continues after its wait ended. */
const expectedHere = new Set(['ConnectorFailed', 'AttachmentStays', 'WrongStatus']);
const patienceMs = 300_000;

/** A client that uses volumes as disks of a host through its command line: create, attach, write, read, detach, delete. */
export class HostClient {
  private readonly cluster: StorageCluster;
  private readonly host: number;
  private readonly random: Random;
  private readonly journal: Journal;

  constructor(cluster: StorageCluster, host: number, random: Random, journal: Journal) {
    this.cluster = cluster;
    this.host = host;
    this.random = random;
    this.journal = journal;
  }

  async work(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.useOne();
      await pause(this.random.between(500, 3000));
    }
  }

  private async useOne(): Promise<void> {
    const id = this.random.uuid();
    await this.repeat('host create', id, `volume create 0 --id ${id} --project chaos`);
    const attached = await this.run('host attach', id, `volume attach ${id} --host-device`);
    if (attached === undefined) await this.writeAndRead(id);
    await this.repeat('host detach', id, `volume detach ${id}`, ['VolumeNotAttached']);
    await this.repeat('host delete', id, `volume delete ${id}`, ['VolumeNotFound']);
    const left = await settledRecord(this.cluster.store, id, patienceMs);
    if (left) this.journal.violation(`volume ${id} was deleted, and is ${left.status}`);
  }

  /** Writes random bytes to the device and compares them. */
  private async writeAndRead(id: string): Promise<void> {
    const { address } = await until(() => this.cluster.record(id), `Redis returns volume ${id}`, patienceMs);
    const { status, output } = await this.cluster.node(this.host).run(
      `file=$(mktemp); dd if=/dev/urandom of=$file bs=64k count=16 2>/dev/null
dd if=$file of=/dev/etherd/${address} bs=64k oflag=direct,sync 2>&1 &&
dd if=/dev/etherd/${address} bs=64k count=16 iflag=direct 2>/dev/null | cmp - $file 2>&1
status=$?; rm $file; exit $status`,
      { timeoutMs: patienceMs },
    );
    if (status !== 0) this.journal.violation(`volume ${id} as ${address} of the host: ${output}`);
  }

  /** Repeats the command until it is done, or was done before. */
  private async repeat(name: string, id: string, command: string, done: readonly string[] = []): Promise<void> {
    const begin = performance.now();
    for (;;) {
      const code = await this.run(name, id, command, done);
      if (code === undefined || done.includes(code)) return;
      if (performance.now() - begin > patienceMs) return this.journal.violation(`stuck: ${command}: ${code}`);
      await pause(2000);
    }
  }

  private async run(
    name: string,
    id: string,
    command: string,
    done: readonly string[] = [],
  ): Promise<string | undefined> {
    let reasons: string[] = [];
    const code = await this.journal.operation(name, id, async () => {
      const { exitCode, codes, messages, output } = await this.cluster.on(this.host).run(command);
      reasons = messages;
      return exitCode === 0 ? undefined : (codes[0] ?? `exit code ${exitCode}: ${output.trim().slice(-200)}`);
    });
    if (code !== undefined && !isExpected(code) && !expectedHere.has(code) && !done.includes(code)) {
      this.journal.violation(`${command} failed: ${[code, ...reasons].join(': ')}`);
    }
    return code;
  }
}
