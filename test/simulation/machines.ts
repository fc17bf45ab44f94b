import { FakeMachine, type MachineWorld, type SharedStorage } from './machine.ts';
import type { SimulatedNode } from './node.ts';

/** Each node has one backend, or two, or all have one storage, and each of them can own its volumes. */
type Layout = 'single' | 'paired' | 'shared';

const layouts: readonly Layout[] = ['single', 'single', 'shared', 'paired', 'single'];
const totalBytes = 40 * 2 ** 30;
const backends = ['fake', 'other'] as const;
const nodes = 3;

export function layoutOf(seed: number): Layout {
  return layouts[seed % layouts.length] ?? 'single';
}

/** Returns the storage of a node: one machine for each of its backends, which serve their volumes on one wire. */
export function machinesOf(
  name: string,
  world: MachineWorld,
  layout: Layout,
  shared: SharedStorage,
): SimulatedNode['machines'] {
  const [backend, other] = backends;
  if (layout === 'shared') return [new FakeMachine({ name, backend, totalBytes: nodes * totalBytes, world, shared })];
  const first = new FakeMachine({ name, backend, totalBytes, world });
  if (layout === 'single') return [first];
  return [first, new FakeMachine({ name, backend: other, totalBytes, world, exports: first.exports })];
}

/** Where volumes can be made on a node with two backends, and moved to. */
export function placesOn(node: string): string[] {
  return [node, ...backends.map((backend) => `${node}@${backend}`)];
}
