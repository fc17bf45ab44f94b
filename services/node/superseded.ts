import { randomUUID } from 'node:crypto';
import { asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { BackendState } from '../../lib/models/backend.ts';
import { type SupersededState, supersededOf } from '../../lib/models/superseded.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { Backends } from './backends.ts';
import { isInUse } from './engine/migration-in-use.ts';
import { type FormerStorage, formerEdit } from './former.ts';
import type { NodeLease } from './lease.ts';
import { isOnStorage, keeperOn } from './shared-storage.ts';
import { fromLabel, keptBy, movedLabel } from './specs.ts';
import { storedVolume } from './found-storage.ts';

/** Notes that a volume has left its storage on a node that is lost, with the change that gives it another place. */
export function supersededEdit(volume: VolumeState, to: Pick<BackendState, 'id'>): Edit {
  const { id, node, backend, size, createTime, movedFrom } = volume;
  const address = isInUse(volume) ? volume.address : '';
  const set = {
    volume: id,
    node,
    backend,
    size: String(size),
    created: String(createTime),
    destination: to.id,
    ...(address === '' ? {} : { address }),
    ...(movedFrom === '' ? {} : { from: movedFrom }),
  };
  return { kind: 'superseded', id: randomUUID(), insert: true, set, stamp: ['createTime'] };
}

export interface SupersededOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  former: Pick<FormerStorage, 'note'>;
  log: Log;
}

/**
 * The storage here that volumes have left while this node was lost. It is labelled as left before anything else is done with it, as its node
 * would have done; from then on it is like that of every migration.
 */
export class SupersededStorage {
  private readonly options: SupersededOptions;
  private left: ReadonlySet<string> = new Set();

  constructor(options: SupersededOptions) {
    this.options = options;
  }

  /** Volumes whose storage here could not be labelled yet: no record is made from it. */
  get ids(): ReadonlySet<string> {
    return this.left;
  }

  /** Before records are made from storage. Throws Fenced. */
  async label(): Promise<void> {
    const { store, lease, log } = this.options;
    const left = new Set<string>();
    for await (const one of supersededOf(store).iterate(store.keys.nodeSuperseded(lease.node))) {
      try {
        await this.labelOne(one);
      } catch (thrown) {
        const error = asError(thrown);
        if (error.code === 'Fenced' || error.code === 'RedisUnreachable') throw error;
        left.add(one.volume);
        if (!this.left.has(one.volume) && error.code !== 'BackendUnavailable') {
          log.error(`the former storage of volume ${one.volume} is not labelled: ${error.message}`);
        }
      }
    }
    this.left = left;
  }

  private async labelOne(one: SupersededState): Promise<void> {
    const { store, lease, backends, former } = this.options;
    const backend = backends.get(one.backend);
    const { driver } = backend;
    const { id, volume, node, size, destination, address } = one;
    const found = await storedVolume(driver, volume);
    const now = await volumesOf(store).find(volume);
    const isHere = now !== undefined && (await isOnStorage({ store, lease }, backend, now));
    // It may have come back since, where Redis has this record again.
    const isSame = found?.labels['created'] === one.created && (found.labels[fromLabel] ?? '') === one.from;
    if (found && isSame && !isHere && found.labels[movedLabel] === undefined) {
      const { address: _, ...others } = found.labels;
      const labels = {
        ...others,
        ...(address === '' ? {} : { address }),
        [movedLabel]: destination,
        ...keptBy(keeperOn(backend, lease.node)),
      };
      await driver.labelVolume({ id: volume, size, sizeBytes: sizeInBytes(size), labels });
    }
    const here = { id: volume, node, backend: backend.name, size, createTime: Number(one.created) };
    const outcome = await commit(store, {
      owner: lease.token,
      edits: [{ kind: 'superseded', id, remove: true }, ...(isHere ? [] : [formerEdit(here)])],
      frees: true,
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (!isHere) former.note(here);
  }
}
