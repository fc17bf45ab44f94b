import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Layout, backendName, nodeName, presentVolume } from './layout.ts';

/** Change sets that are under way at a time: they share the writes of the connection. */
const concurrency = 512;

/** Inserts the record of every volume, by the change set of a creation that has ended. */
export async function insertVolumes(store: Store, layout: Layout): Promise<void> {
  const total = layout.nodes * layout.perNode;
  for (let first = 0; first < total; first += concurrency) {
    const count = Math.min(concurrency, total - first);
    await Promise.all(
      Array.from({ length: count }, async (_, offset) => {
        const number = first + offset;
        // One volume of each node in turn, as placement spreads them.
        const edit = insertion(number % layout.nodes, Math.floor(number / layout.nodes), layout);
        const { word } = await commit(store, { edits: [edit] });
        if (word !== 'ok') throw new Error(`volume ${edit.id}: ${word}`);
      }),
    );
  }
}

function insertion(node: number, number: number, layout: Layout): Edit {
  const { id, project, address } = presentVolume(node, number, layout);
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
    },
    stamp: ['createTime'],
  };
}
