import * as fc from 'fast-check';

/** What is done in one run: each client carries out its commands one after the other, all clients and faults at once. */
export interface Plan {
  clients: readonly (readonly Step[])[];
  faults: readonly Fault[];
}

export interface Step {
  name: 'create' | 'delete' | 'attach' | 'detach' | 'extend' | 'show' | 'list' | 'audit';
  volume: number;
  /** The client waits so long before. */
  pauseMs: number;
  /** Of a create: which node, or any. Of an audit: which node, or the first. */
  node: number | undefined;
}

export type Fault =
  | { kind: 'crash'; atMs: number; node: number; downMs: number }
  | { kind: 'clock'; atMs: number; byMs: number }
  /** Every connection to Redis breaks, with the requests and answers on it, or those that replies arrive on. */
  | { kind: 'connections'; atMs: number; type: 'normal' | 'pubsub' };

export const nodes = 2;
export const volumes = 2;

const step = fc.record({
  name: fc.constantFrom('create', 'create', 'attach', 'detach', 'extend', 'delete', 'delete', 'show', 'list', 'audit'),
  volume: fc.nat(volumes - 1),
  pauseMs: fc.oneof(fc.constant(0), fc.nat(30)),
  node: fc.option(fc.nat(nodes - 1), { nil: undefined }),
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
    kind: fc.constant('clock'),
    atMs: fc.nat(120),
    byMs: fc.constantFrom(-86_400_000, -3_600_000, -1500, 1500, 3_600_000, 86_400_000),
  }),
) satisfies fc.Arbitrary<Fault>;

export const plans: fc.Arbitrary<Plan> = fc.record({
  clients: fc.array(fc.array(step, { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
  // Half of the plans have none: a run with a crash takes longer.
  faults: fc.oneof(fc.constant([]), fc.array(fault, { maxLength: 3 })),
});
