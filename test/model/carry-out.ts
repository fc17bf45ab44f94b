import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { silentLog } from '../../lib/log.ts';
import { typesOf } from '../../lib/models/type.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { disagreements } from '../support/agreement.ts';
import { Clock } from '../support/clock.ts';
import type { Cluster } from '../support/cluster.ts';
import { unrelated } from '../support/related.ts';
import { until } from '../support/until.ts';
import { type Answer, type Entry, type Rules, describe, unexplained } from './explain.ts';
import { MortalNode } from './mortal-node.ts';
import { type Fault, type Plan, type Step, nodes, preparation, volumes } from './plan.ts';
import { isUnreachable, whenReachable } from './reachable.ts';
import { Objects, Requests } from './requests.ts';
import { type State, absent, stateText } from './state.ts';
import { type TypeCommand, typeRules } from './type-model.ts';
import { type VolumeCommand, volumeRules } from './volume-model.ts';

/** Carries out a plan on nodes of its own. Returns what cannot be explained or does not agree, one line each. */
export async function carryOut(plan: Plan, cluster: Cluster): Promise<string[]> {
  const run = new Run(cluster);
  try {
    return await run.all(plan);
  } finally {
    await run.end();
  }
}

/** What a client does one after the other. */
interface Client {
  name: string;
  requests: Requests;
  /** Group snapshots that it has taken, and perhaps not deleted. */
  taken: string[];
  count: number;
}

class Run {
  private readonly clock = new Clock();
  private readonly objects = new Objects();
  private readonly ids = Array.from({ length: volumes }, () => randomUUID());
  private readonly histories: Entry<VolumeCommand>[][] = this.ids.map(() => []);
  private readonly typeHistory: Entry<TypeCommand>[] = [];
  private readonly prefix = randomUUID().slice(0, 8);
  private readonly backups: string;
  private readonly cluster: Cluster;
  private readonly nodes: readonly MortalNode[];
  private readonly closers: (() => Promise<void>)[] = [];
  private place = 0;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.backups = `${cluster.directory}/${this.prefix}-backups`;
    const ofNode = (index: number) => {
      const storage_name = `n${index}`;
      const state_dir = `${cluster.directory}/${this.prefix}-${index}`;
      return this.flags({
        storage_name,
        state_dir,
        stop_timeout: '0',
        node_down_time: '30',
        backup_directory: this.backups,
      });
    };
    this.nodes = Array.from({ length: nodes }, (_, index) => new MortalNode(ofNode(index), new FakeDriver()));
  }

  async all({ isPrepared, clients, faults }: Plan): Promise<string[]> {
    await Promise.all(this.nodes.map((node) => node.start()));
    const requests = new Requests(await this.store(), this.objects);
    await whenReachable(() => requests.prepare(this.backups));
    if (isPrepared) await this.client('first', preparation);
    const steps = clients.map((client, index) => this.client(`client-${index}`, client));
    await Promise.all([...steps, ...faults.map((fault) => this.fault(fault))]);
    await Promise.all(this.nodes.map((node) => node.start()));
    this.clock.restore();
    const problems: string[] = [];
    const quiet = () => this.isQuiet(requests.store);
    await until(quiet, 'everything begun has ended').catch((error: unknown) => problems.push(String(error)));
    const storages = this.nodes.map(async ({ name, storage }) => ({
      node: name,
      volumes: await storage.listVolumes(),
      snapshots: await storage.snapshots.listSnapshots(),
    }));
    problems.push(...(await disagreements(requests.store, await Promise.all(storages))));
    problems.push(...(await unrelated(requests.store)));
    for (const [index, history] of this.histories.entries()) {
      const last = await requests.stateNow(this.ids[index] ?? '');
      problems.push(...explained(`volume ${index}`, volumeRules, history, last));
    }
    const [type] = (await typesOf(requests.store).readAll([this.objects.type])).states;
    problems.push(...explained('the type', typeRules, this.typeHistory, type ? 'there' : 'absent'));
    const isFaulty = faults.some(({ kind }) => kind === 'storage');
    const failed = isFaulty ? [] : (await allVolumes(requests.store)).filter(({ fault }) => fault !== undefined);
    return [...problems, ...failed.map(({ id, fault }) => `volume ${id} has failed: ${fault?.message}`)];
  }

  async end(): Promise<void> {
    this.clock.restore();
    await Promise.all(this.nodes.map((node) => node.crash()));
    for (const close of this.closers) await close();
  }

  private async isQuiet(store: Store): Promise<boolean> {
    const topics = this.nodes.map(({ name }) => store.keys.topic(`volume.${name}`));
    const left = await Promise.all(topics.map((topic) => store.redis.xlen(topic)));
    const jobs = await Promise.all(this.nodes.map(({ name }) => store.redis.zcard(store.keys.nodeJobs(name))));
    return !(await allVolumes(store)).some(isTransitional) && [...left, ...jobs].every((count) => count === 0);
  }

  private flags(given: Parameters<Cluster['flags']>[0]) {
    return this.cluster.flags({ redis_prefix: this.prefix, ...given });
  }

  private async store(): Promise<Store> {
    const connection = await whenReachable(() => connect(this.flags({}), silentLog));
    this.closers.push(() => connection.close());
    return new Store(connection, this.prefix);
  }

  private async fault(fault: Fault): Promise<void> {
    await pause(fault.atMs);
    if (fault.kind === 'clock') return this.clock.jump(fault.byMs);
    if (fault.kind === 'connections') return this.breakConnections(fault.type);
    const node = this.nodes[fault.node];
    if (fault.kind === 'storage') return node?.refuseGrowth(fault.forMs);
    await node?.crash();
    await pause(fault.downMs);
    await node?.start();
  }

  private async breakConnections(type: 'normal' | 'pubsub'): Promise<void> {
    const store = await this.store();
    await whenReachable(() => store.read((redis) => redis.call('CLIENT', 'KILL', 'TYPE', type)));
  }

  private async client(name: string, steps: readonly Step[]): Promise<void> {
    const client: Client = { name, requests: new Requests(await this.store(), this.objects), taken: [], count: 0 };
    for (const step of steps) {
      await pause(step.pauseMs);
      if (step.name === 'list') await this.list(client);
      else if (step.name === 'audit') await client.requests.audit(step.node ?? 0);
      else if (step.name === 'make type' || step.name === 'remove type') await this.ofType(client, step.name);
      else if (step.name === 'take') await this.take(client);
      else if (step.name === 'drop') await this.drop(client);
      else await this.ofVolume(client, step, commandOf(step, name));
    }
  }

  private async ofVolume({ name: client, requests }: Client, step: Step, command: VolumeCommand): Promise<void> {
    const { volume } = step;
    const node = step.node === undefined ? undefined : `n${step.node}`;
    const [answer, called, answered] = await this.timed(() => requests.ofVolume(this.ids[volume] ?? '', command, node));
    this.histories[volume]?.push({ client, command, answer, called, answered });
    const usesType = command.name === 'create' && command.isTyped;
    if (usesType) this.typeHistory.push({ client, command: { name: 'use' }, answer, called, answered });
  }

  private async ofType({ name: client, requests }: Client, name: TypeCommand['name']): Promise<void> {
    const [answer, called, answered] = await this.timed(() => requests.ofType({ name }));
    this.typeHistory.push({ client, command: { name }, answer, called, answered });
  }

  private async take(client: Client): Promise<void> {
    client.count += 1;
    const snapshot = `${client.name}-${client.count}`;
    client.taken.push(snapshot);
    await this.ofGroup(client, { name: 'take', snapshot });
  }

  private async drop(client: Client): Promise<void> {
    const snapshot = client.taken.at(-1);
    if (snapshot === undefined) return;
    const answer = await this.ofGroup(client, { name: 'drop', snapshot });
    if (answer.kind === 'ok') client.taken.pop();
  }

  /** It may concern every volume. */
  private async ofGroup({ name: client, requests }: Client, command: VolumeCommand): Promise<Answer> {
    const [answer, called, answered] = await this.timed(() => requests.ofVolume('', command));
    for (const history of this.histories) history.push({ client, command, answer, called, answered });
    return answer;
  }

  /** The list as a whole is no snapshot; what it says of each volume is something that was so. */
  private async list({ name: client, requests }: Client): Promise<void> {
    const called = this.next();
    const found = await allVolumes(requests.store).catch((error: unknown) => {
      if (isUnreachable(error)) return undefined;
      throw error;
    });
    if (!found) return;
    const all = new Map(found.map((volume) => [volume.id, volume]));
    const answered = this.next();
    for (const [index, id] of this.ids.entries()) {
      const volume = all.get(id);
      const state = volume ? await requests.stateOf(volume).catch(() => undefined) : stateText(absent);
      if (state === undefined) continue; // Redis is away, or that attachment has ended since
      const answer = { kind: 'state', state } as const;
      this.histories[index]?.push({ client, command: { name: 'list' }, answer, called, answered });
    }
  }

  private async timed(work: () => Promise<Answer>): Promise<[answer: Answer, called: number, answered: number]> {
    const called = this.next();
    const answer = await work();
    return [answer, called, answer.kind === 'unknown' ? Infinity : this.next()];
  }

  private next(): number {
    this.place += 1;
    return this.place;
  }
}

function allVolumes(store: Store): Promise<VolumeState[]> {
  return Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
}

function explained<Command extends { name: string }>(
  what: string,
  rules: Rules<Command>,
  history: readonly Entry<Command>[],
  last: State,
): string[] {
  const reason = unexplained(rules, history, last);
  if (reason === undefined) return [];
  const inOrder = history.toSorted((one, other) => one.called - other.called);
  return [`${what}: ${reason}`, ...inOrder.map((entry) => `  ${describe(entry)}`)];
}

function commandOf({ name, node, isTyped }: Step, instance: string): VolumeCommand {
  if (name === 'attach') return { name, instance };
  if (name === 'create') return { name, isPinned: node !== undefined, isTyped };
  if (name === 'take' || name === 'drop' || name === 'audit' || name === 'make type' || name === 'remove type') {
    throw new Error(`${name} is no command of one volume`);
  }
  return { name };
}
