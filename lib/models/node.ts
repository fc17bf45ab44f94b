import { errors } from '../errors.ts';
import { codeOf } from '../redis/failures.ts';
import type { Store } from '../redis/store.ts';
import { type BackendState, parseBackend } from './backend.ts';
import { type Hash, UnreadableError, hashSchema } from './hash.ts';
import { isNodeName } from './node-name.ts';

/** What a node last reported. Times in milliseconds since the epoch. */
export interface NodeState {
  /** Its name: the identifier of a node. */
  id: string;
  /** up: reported within node_down_time; lost: declared so; stopped: its daemon stopped in order; down: none of these. */
  state: 'up' | 'down' | 'stopped' | 'lost';
  availabilityZone: string;
  version: string;
  volumes: number;
  /** Volumes that have a task. */
  pending: number;
  shelves: readonly number[];
  /** How long it gives a freed address to no other volume; undefined while it has not reported that. */
  quarantineMs: number | undefined;
  reportTime: number | undefined;
  startTime: number | undefined;
  /** What it could not repair by itself, each one line. */
  problems: readonly string[];
  backends: readonly BackendState[];
}

/** Fields of a node that its daemon reports. */
export interface NodeReport {
  availabilityZone: string;
  version: string;
  startTime: number;
  quarantineMs: number;
  problems: readonly string[];
}

export function writeNode({ problems, startTime, quarantineMs, ...rest }: NodeReport): Record<string, string> {
  return { ...rest, startTime: String(startTime), quarantineMs: String(quarantineMs), problems: problems.join('\n') };
}

/** A node whose record this version cannot read. */
export interface UnreadableNode {
  id: string;
  reason: string;
}

export interface NodePage {
  nodes: NodeState[];
  unreadable: UnreadableNode[];
}

const pageSize = 100;

/** Throws NodeNotFound, RecordUnreadable. */
export async function lookupNode(store: Store, name: string): Promise<NodeState> {
  const node = await findNode(store, name);
  if (!node) throw errors.noNode(name);
  return node;
}

/** Throws RecordUnreadable. */
export async function findNode(store: Store, name: string): Promise<NodeState | undefined> {
  if (!isNodeName(name)) return undefined;
  const { nodes, unreadable } = await readNodes(store, [name]);
  const [problem] = unreadable;
  if (problem) throw errors.recordUnreadable(`node ${name}`, problem.reason);
  return nodes[0];
}

/** Every node, in order of the first start, a page at a time. */
export async function* allNodes(store: Store): AsyncGenerator<NodePage> {
  for (let first = 0; ; first += pageSize) {
    const from = String(first);
    const to = String(first + pageSize - 1);
    const names = await store.read((redis) => redis.zrange(store.keys.nodes(), from, to));
    if (names.length > 0) yield await readNodes(store, names);
    if (names.length < pageSize) return;
  }
}

/** Every node at once, for commands that show all of them. */
export async function everyNode(store: Store): Promise<NodePage> {
  const pages = await Array.fromAsync(allNodes(store));
  return { nodes: pages.flatMap(({ nodes }) => nodes), unreadable: pages.flatMap(({ unreadable }) => unreadable) };
}

/** Returns those of the nodes that exist. Two round trips, whatever their number. */
export async function readNodes(store: Store, names: readonly string[]): Promise<NodePage> {
  const { keys } = store;
  const answers = await pipelined(store, names.length * parts, (pipeline) => {
    for (const name of names) {
      pipeline.hgetall(keys.node(name));
      pipeline.pttl(keys.lease(name)); // below 0 where there is none, or one without an end
      pipeline.zcard(keys.nodeVolumes(name));
      pipeline.zcard(keys.tasks(name));
      pipeline.zrange(keys.nodeShelves(name), '0', '-1');
      pipeline.zrange(keys.nodeBackends(name), '0', '-1');
    }
  });
  const rows = names.map((name, index) => ({ name, row: answers.slice(index * parts, (index + 1) * parts) }));
  const backendIds = rows.flatMap(({ row }) => list(row[5]));
  const backendHashes = await pipelined(store, backendIds.length, (pipeline) => {
    for (const id of backendIds) pipeline.hgetall(keys.backend(id));
  });
  const backends = new Map(backendIds.map((id, index) => [id, backendHashes[index]]));
  const page: NodePage = { nodes: [], unreadable: [] };
  for (const { name, row } of rows) {
    const { data: hash } = hashSchema.safeParse(row[0]);
    if (hash && Object.keys(hash).length === 0) continue;
    try {
      if (!hash) throw new UnreadableError('is no hash');
      if (row.includes(undefined)) throw new UnreadableError('has an index of a wrong type');
      page.nodes.push(parseNode(name, hash, row, backends));
    } catch (error) {
      if (!(error instanceof UnreadableError)) throw error;
      page.unreadable.push({ id: name, reason: error.message });
    }
  }
  return page;
}

const parts = 6;

function parseNode(
  name: string,
  hash: Hash,
  row: readonly unknown[],
  backends: ReadonlyMap<string, unknown>,
): NodeState {
  const whole = (field: string) => {
    const text = hash[field];
    if (text === undefined) return undefined;
    if (!/^\d{1,16}$/.test(text)) throw new UnreadableError(`has ${field} ${JSON.stringify(text)}`);
    return Number(text);
  };
  return {
    id: name,
    state: stateOf(hash, Number(row[1]) >= 0),
    availabilityZone: hash['availabilityZone'] ?? '',
    version: hash['version'] ?? '',
    volumes: Number(row[2]),
    pending: Number(row[3]),
    shelves: list(row[4]).map(Number),
    quarantineMs: whole('quarantineMs'),
    reportTime: whole('reportTime'),
    startTime: whole('startTime'),
    problems: hash['problems'] ? hash['problems'].split('\n') : [],
    backends: list(row[5]).map((id) => parseBackend(id, hashSchema.safeParse(backends.get(id)).data ?? {})),
  };
}

function stateOf(hash: Hash, isUp: boolean): NodeState['state'] {
  if (isUp) return 'up';
  if (hash['lost'] !== undefined) return 'lost';
  return hash['stopTime'] === undefined ? 'down' : 'stopped';
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

type Pipeline = ReturnType<Store['redis']['pipeline']>;

/** Undefined stands for a key of a wrong type. Throws the first other failure. */
async function pipelined(store: Store, count: number, fill: (pipeline: Pipeline) => void): Promise<unknown[]> {
  if (count === 0) return [];
  return store.read(async (redis) => {
    const pipeline = redis.pipeline();
    fill(pipeline);
    return ((await pipeline.exec()) ?? []).map(([error, value]) => {
      if (error && codeOf(error) !== 'WRONGTYPE') throw error;
      return error ? undefined : value;
    });
  });
}
