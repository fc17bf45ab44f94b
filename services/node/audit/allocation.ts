import type { NotCompared } from '../../../lib/audit/finding.ts';
import { errors } from '../../../lib/errors.ts';
import { backendId } from '../../../lib/models/backend.ts';
import { formersOf } from '../../../lib/models/former.ts';
import { migrationsOf } from '../../../lib/models/migration.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { type Edit, commit } from '../../../lib/redis/scripts.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import type { AuditContext } from '../audit.ts';
import type { Difference } from './difference.ts';

type Counted = Pick<VolumeState, 'node' | 'backend' | 'size'> & { newSize?: number | undefined };

/** Compares the counters of allocated bytes with the sums over the records, which the audit reads anyway. */
export class AllocationAudit {
  private readonly context: AuditContext;
  private readonly ids: readonly string[];
  private readonly sums = new Map<string, number>();
  private readonly before: readonly (string | null)[];
  private isComplete = true;

  private constructor(context: AuditContext, ids: readonly string[], before: readonly (string | null)[]) {
    this.context = context;
    this.ids = ids;
    this.before = before;
  }

  /** Before the first record is read. */
  static async begin(context: AuditContext): Promise<AllocationAudit> {
    const ids = context.backends.configured.map(({ name }) => backendId(context.lease.node, name));
    return new AllocationAudit(context, ids, await countersOf(context, ids));
  }

  add(volume: VolumeState): void {
    if (!volume.isSent) this.count(volume);
  }

  /** Storage of migrations, which is no volume of this node yet, or any more. */
  async addMigrations(): Promise<void> {
    const { store, lease } = this.context;
    const { keys } = store;
    const note = () => this.addUnreadable();
    for await (const one of migrationsOf(store).iterate(keys.nodeMigrations(lease.node), note)) this.count(one);
    for await (const one of formersOf(store).iterate(keys.nodeFormer(lease.node), note)) this.count(one);
  }

  /** An unreadable record counts with a size that is not known. */
  addUnreadable(): void {
    this.isComplete = false;
  }

  private count({ node, backend, size, newSize = size }: Counted): void {
    const id = backendId(node, backend);
    this.sums.set(id, (this.sums.get(id) ?? 0) + sizeInBytes(newSize));
  }

  /** After the last record. A counter that has changed meanwhile is not compared. */
  async end(): Promise<{ differences: Difference[]; notCompared: NotCompared[] }> {
    const after = await countersOf(this.context, this.ids);
    const differences: Difference[] = [];
    const notCompared: NotCompared[] = [];
    for (const [index, id] of this.ids.entries()) {
      const counter = after[index] ?? '';
      const sum = this.sums.get(id) ?? 0;
      const reason = this.isComplete
        ? counter !== (this.before[index] ?? '') && 'volumes were created or deleted meanwhile'
        : 'a record of a volume cannot be read';
      if (reason !== false) notCompared.push({ object: `allocated bytes of backend ${id}`, reason });
      else if (Number(counter) !== sum) differences.push(differenceOf(this.context, id, counter, sum));
    }
    return { differences, notCompared };
  }
}

function countersOf({ store }: AuditContext, ids: readonly string[]): Promise<(string | null)[]> {
  return store.read((redis) => Promise.all(ids.map((id) => redis.hget(store.keys.backend(id), 'allocatedBytes'))));
}

function differenceOf({ store, lease }: AuditContext, id: string, counter: string, sum: number): Difference {
  const run = async () => {
    const edit: Edit = {
      kind: 'backend',
      id,
      expect: { allocatedBytes: counter },
      set: { allocatedBytes: String(sum) },
    };
    const outcome = await commit(store, { owner: lease.token, edits: [edit] });
    if (outcome.word !== 'ok') throw errors.counterChanged(id);
  };
  const what = `counts ${counter || 'nothing'} as allocated, the records come to ${sum} bytes`;
  return { object: `backend ${id}`, what, fix: 'correct the counter', run };
}
