/**
 * Every key name there is. All begin with one hash tag, so that one script may touch any of them on Redis Cluster.
 * Scripts get the same names as Lua functions (`key_volume(id)`), made from the same table.
 */
const names = {
  /** hash: a volume's record */
  volume: (id: string) => `volume:${id}`,
  /** sorted set, by creation time (ms): every volume's id */
  volumes: () => 'volumes',
  /** sorted set, by creation time: ids of a node's volumes */
  nodeVolumes: (node: string) => `node:${node}:volumes`,
  /** sorted set, by creation time: ids of a project's volumes */
  projectVolumes: (project: string) => `project:${project}:volumes`,
  /** sorted set of one score: every volume's id, to find one by its beginning */
  volumeIds: () => 'volume-ids',
  /** sorted set of one score: name, a zero byte, id */
  volumeNames: () => 'volume-names',
  /** sorted set, by time (ms) of the last change: volumes of a node in a transitional status */
  pending: (node: string) => `node:${node}:pending`,
  /** hash: a node's record */
  node: (node: string) => `node:${node}`,
  /** sorted set, by time of the first start: names of nodes */
  nodes: () => 'nodes',
  /** string with time to live: the holder of a node name; there as long as the node is heard of */
  lease: (node: string) => `node:${node}:lease`,
  /** sorted set, by creation time: volumes that were deleted while their node was lost; it deletes them when it returns */
  forgotten: (node: string) => `node:${node}:forgotten`,
  /** hash: the record of such a volume */
  forgottenVolume: (id: string) => `forgotten:${id}`,
  /** hash: AoE shelf -> node */
  shelves: () => 'aoe:shelves',
  /** sorted set, by shelf * 256 + slot: numbers "shelf.slot" that a node may give out */
  freeNumbers: (node: string) => `node:${node}:free`,
  /** hash: "shelf.slot" -> why it is kept back ("wire <mac>", "export <path>", "volume <id>") */
  heldNumbers: () => 'aoe:held',
  /** stream: commands to any node, or to one (`volume`, `volume.<node>`) */
  topic: (topic: string) => `topic:${topic}`,
  /** channel: answers to one caller */
  answers: (caller: string) => `answers:${caller}`,
};

type Names = typeof names;
export type Keys = { readonly [Name in keyof Names]: (...parts: Parameters<Names[Name]>) => string } & {
  /** What every key begins with; the one KEYS entry of every script. */
  readonly prefix: string;
};

export function makeKeys(prefix: string): Keys {
  const tag = `{${prefix}}:`;
  return {
    prefix: tag,
    volume: (id) => tag + names.volume(id),
    volumes: () => tag + names.volumes(),
    nodeVolumes: (node) => tag + names.nodeVolumes(node),
    projectVolumes: (project) => tag + names.projectVolumes(project),
    volumeIds: () => tag + names.volumeIds(),
    volumeNames: () => tag + names.volumeNames(),
    pending: (node) => tag + names.pending(node),
    node: (node) => tag + names.node(node),
    nodes: () => tag + names.nodes(),
    lease: (node) => tag + names.lease(node),
    forgotten: (node) => tag + names.forgotten(node),
    forgottenVolume: (id) => tag + names.forgottenVolume(id),
    shelves: () => tag + names.shelves(),
    freeNumbers: (node) => tag + names.freeNumbers(node),
    heldNumbers: () => tag + names.heldNumbers(),
    topic: (topic) => tag + names.topic(topic),
    answers: (caller) => tag + names.answers(caller),
  };
}

export interface LuaFunction {
  name: string;
  source: string;
}

/** The same names for scripts: functions `key_volume(id)` and so on, over KEYS[1] as the prefix. */
export function keysInLua(): LuaFunction[] {
  return Object.entries(names).map(([key, make]) => {
    const [before = '', after = ''] = make('\0').split('\0');
    const takesPart = make.length > 0;
    const body = takesPart ? `'${before}' .. part .. '${after}'` : `'${before}'`;
    const name = `key_${key}`;
    return { name, source: `local function ${name}(${takesPart ? 'part' : ''}) return KEYS[1] .. ${body} end` };
  });
}
