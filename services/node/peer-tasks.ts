import { moveTo } from '../../lib/client/take-over.ts';
import { readCandidates } from '../../lib/client/placement.ts';
import type { Log } from '../../lib/log.ts';
import { type BackendState, backendId } from '../../lib/models/backend.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Backends } from './backends.ts';
import type { Engine } from './engine/engine.ts';
import type { NodeLease } from './lease.ts';
import { sharedIdentity } from './shared-storage.ts';

export interface PeerTasksOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  engine: Engine;
  log: Log;
  /** The beginning of the names of topics. */
  topic: string;
}

/** Tasks that are looked at with one report. */
const maxTasks = 16;

/**
 * Continues tasks that nodes on the same storage left behind: with each report those of one other node, if it is gone. A volume without
 * a task is taken over by the request that needs it.
 */
export class PeerTasks {
  private readonly options: PeerTasksOptions;

  constructor(options: PeerTasksOptions) {
    this.options = options;
  }

  /** Throws Fenced, RedisUnreachable, RedisRefuses. */
  async run(): Promise<void> {
    const { store, lease, backends } = this.options;
    for (const backend of backends.served) {
      const identity = sharedIdentity(backend);
      if (identity === '') continue;
      const id = backendId(lease.node, backend.name);
      const [own, peer] = await readCandidates(store, [id, (await this.peerOf(identity, id)) ?? id]);
      if (own && peer && own.backend.id !== peer.backend.id && !peer.isUp && own.backend.problem === '') {
        await this.continueTasks(peer.backend, own.backend);
      }
    }
  }

  /** Another backend on the same storage, by chance. */
  private async peerOf(identity: string, own: string): Promise<string | undefined> {
    const { store } = this.options;
    const key = store.keys.sharing(identity);
    const count = await store.read((redis) => redis.zcard(key));
    const first = String(Math.floor(Math.random() * Math.max(1, count - 1)));
    const two = await store.read((redis) => redis.zrange(key, first, String(Number(first) + 1)));
    return two.filter((id) => id !== own).at(Math.random() < 0.5 ? 0 : -1);
  }

  private async continueTasks(from: BackendState, to: BackendState): Promise<void> {
    const { store, lease, engine, log, topic } = this.options;
    const key = store.keys.tasks(from.node);
    const ids = await store.read((redis) => redis.zrange(key, '0', String(maxTasks - 1)));
    const { states } = await volumesOf(store).readAll(ids);
    for (const volume of states) {
      if (volume.node !== from.node || volume.backend !== from.name || !volume.task) continue;
      if ((await moveTo(store, volume, { from, to, topic, owner: lease.token })) !== 'moved') continue;
      log.info(
        `took volume ${volume.id} over from node ${from.node}, which is down, and continues its ${volume.task.kind}`,
      );
      const now = await volumesOf(store).find(volume.id);
      if (now?.node === to.node) engine.submit(now, { isResumed: true });
    }
  }
}
