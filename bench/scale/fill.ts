import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Layout, backendName, nodeName, presentVolume } from './layout.ts';

/** Records of one change set, and change sets that are under way at a time: a million round trips would take minutes. */
const batch = 16;
const concurrency = 32;

/** Inserts the record of every volume, as the change set of a creation that has ended does. */
export async function insertVolumes(store: Store, layout: Layout): Promise<void> {
  const total = layout.nodes * layout.perNode;
  let next = 0;
  const insertSome = async () => {
    while (next < total) {
      const first = next;
      next = Math.min(total, first + batch);
      // One volume of each node in turn, as placement spreads them.
      const edits = Array.from({ length: next - first }, (_, offset) =>
        insertion((first + offset) % layout.nodes, Math.floor((first + offset) / layout.nodes), layout),
      );
      const { word } = await commit(store, { edits });
      if (word !== 'ok') throw new Error(`records from ${first} on: ${word}`);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, insertSome));
}

function insertion(node: number, number: number, layout: Layout): Edit {
  const { id, project, address, createTime } = presentVolume(node, number, layout);
  return {
    kind: 'volume',
    id,
    insert: true,
    set: {
      size: '1',
      userId: 'bench-user',
      projectId: project,
      node: nodeName(node),
      backend: backendName,
      availabilityZone: 'nova',
      status: 'available',
      attachStatus: 'detached',
      address,
      createTime,
    },
  };
}
