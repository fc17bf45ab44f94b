import * as fc from 'fast-check';

/** What is done in one run: each client carries out its commands one after the other, all clients and faults at once. */
export interface Plan {
  /** Before, all volumes and the type are made, and volumes join the group. */
  isPrepared: boolean;
  clients: readonly (readonly Step[])[];
  faults: readonly Fault[];
}

export interface Step {
  name: (typeof names)[number];
  volume: number;
  /** The client waits so long before. */
  pauseMs: number;
  /** Of a create: which node, or any. Of an audit: which node, or the first. */
  node: number | undefined;
  /** Of a create: of the type, which may not be there. */
  isTyped: boolean;
}

export type Fault =
  | { kind: 'crash'; atMs: number; node: number; downMs: number }
  | { kind: 'clock'; atMs: number; byMs: number }
  /** The storage of a node refuses to grow volumes for a time. */
  | { kind: 'storage'; atMs: number; node: number; forMs: number }
  /** Every connection to Redis breaks, with the requests and answers on it, or those that replies arrive on. */
  | { kind: 'connections'; atMs: number; type: 'normal' | 'pubsub' };

export const nodes = 2;
export const volumes = 2;

/** `join`, `leave`: the group; `take`, `drop`: a snapshot of it; `copy`: to a backup, by a job. */
const names = [
  ...([
    'create',
    'create',
    'create',
    'attach',
    'detach',
    'extend',
    'delete',
    'delete',
    'show',
    'list',
    'audit',
  ] as const),
  ...([
    'join',
    'join',
    'leave',
    'take',
    'take',
    'drop',
    'copy',
    'copy',
    'dismiss',
    'make type',
    'make type',
    'remove type',
  ] as const),
] as const;

const step = fc.record({
  name: fc.constantFrom(...names),
  volume: fc.nat(volumes - 1),
  pauseMs: fc.oneof(fc.constant(0), fc.nat(30)),
  node: fc.option(fc.nat(nodes - 1), { nil: undefined }),
  isTyped: fc.boolean(),
}) satisfies fc.Arbitrary<Step>;

const fault = fc.oneof(
  fc.record({
    kind: fc.constant('crash'),
    atMs: fc.nat(120),
    node: fc.nat(nodes - 1),
    downMs: fc.nat(60),
  }),
  fc.record({ kind: fc.constant('connections'), atMs: fc.nat(120), type: fc.constantFrom('normal', 'pubsub') }),
  fc.record({
    kind: fc.constant('storage'),
    atMs: fc.nat(60),
    node: fc.nat(nodes - 1),
    forMs: fc.nat(300),
  }),
  fc.record({
    kind: fc.constant('clock'),
    atMs: fc.nat(120),
    byMs: fc.constantFrom(-86_400_000, -3_600_000, -1500, 1500, 3_600_000, 86_400_000),
  }),
) satisfies fc.Arbitrary<Fault>;

/** What makes most of it. */
export const preparation: readonly Step[] = [
  prepared('make type', 0),
  ...Array.from({ length: volumes }, (_, volume) => [prepared('create', volume), prepared('join', volume)]).flat(),
];

function prepared(name: Step['name'], volume: number): Step {
  return { name, volume, pauseMs: 0, node: name === 'create' ? 0 : undefined, isTyped: volume === 0 };
}

export const plans: fc.Arbitrary<Plan> = fc.record({
  isPrepared: fc.boolean(),
  clients: fc.array(fc.array(step, { minLength: 1, maxLength: 10 }), { minLength: 1, maxLength: 4 }),
  // Half of the plans have none: a run with a crash takes longer.
  faults: fc.oneof(fc.constant([]), fc.array(fault, { maxLength: 3 })),
});
