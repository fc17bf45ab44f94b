import { Semaphore } from '../../concurrency.ts';
import { BlockstoreError, errors } from '../../errors.ts';
import type { ThinPoolName } from '../../lvm-thin-errors.ts';
import type { DriverStats } from '../driver.ts';
import { ownPoolName } from './flags.ts';
import { type LvmAnswer, urgently } from './lvm.ts';
import type { Parts } from './parts.ts';
import type { LogicalVolume, OneLogicalVolume } from './reports.ts';
import { createThinPool, isPoolOfOurs } from './new-thin-pool.ts';
import { type ThinPoolReport, thinPoolReport } from './thin-pool-report.ts';
import { type ThinUsage, promisableBytes, refusal, sizesIn, warning } from './thin-room.ts';

/** LVM checks the metadata of a pool before it activates it, up to 16 GiB. */
const checkTimeoutMs = 600_000;

type PoolStats = Omit<DriverStats, 'volumeBytes'>;

/** The thin pools of the group: the one of new volumes, and those of volumes that were made under other flags. */
export class ThinPools {
  private readonly parts: Pick<Parts, 'options' | 'openGroup' | 'changes' | 'backend'>;
  /** What is counted must be made before the next one counts. */
  private readonly turns = new Semaphore(1);

  constructor(parts: ThinPools['parts']) {
    this.parts = parts;
  }

  /** The pool of new volumes; undefined where they are thick. */
  get forNew(): string | undefined {
    const { lvmType, thinPool } = this.parts.options;
    return lvmType === 'thin' ? thinPool || ownPoolName : undefined;
  }

  /** Whether a new volume can share the blocks of that logical volume. */
  canShare({ isThin, pool }: Pick<LogicalVolume, 'isThin' | 'pool'>): boolean {
    return isThin && pool === this.forNew;
  }

  /**
   * Makes or checks the pool of new volumes, and activates it: an inactive one gives no figures. What only keeps new volumes from
   * being made is left to stats(). Throws ThinPoolMissing, ThinPoolUnusable, NoSpace.
   */
  async prepare(): Promise<void> {
    const pool = this.forNew;
    if (pool === undefined) return;
    const found = await this.report(pool);
    if (found) this.refuseWrong(pool, found);
    // Nothing of a group that lacks a disk is changed. The pool is prepared again before anything is made in it.
    if ((await this.parts.openGroup.content()).missingDisks > 0) return;
    if (!found) await createThinPool(this.parts, this.nameOf(pool));
    await this.usable(pool).catch((error: unknown) => {
      if (!isOfPool(error)) throw error;
    });
  }

  /**
   * Runs the work that makes something of that size in the pool. Throws NoSpace, ThinPoolUnusable, ThinPoolMissing before, and what
   * the work throws.
   */
  async allocate<T>(pool: string, sizeBytes: number, work: () => Promise<T>): Promise<T> {
    return this.turns.run(async () => {
      const { volumes, extentBytes, missingDisks } = await this.parts.openGroup.content();
      if (missingDisks > 0) throw this.parts.openGroup.incomplete();
      const report = await this.usable(pool);
      const refused = refusal(this.usage(pool, report, volumes), Math.ceil(sizeBytes / extentBytes) * extentBytes);
      if (refused) throw refused;
      return work();
    });
  }

  /** Throws ThinPoolUnusable where another volume could get blocks of this one as they are. */
  async refuseLeaks({ isZeroed, pool }: Pick<OneLogicalVolume, 'isZeroed' | 'pool'>): Promise<void> {
    if (!isZeroed) await this.zeroing(pool, await this.report(pool));
  }

  /** The figures of the pool of new volumes; undefined where they are thick. `volumes`: all of the group. */
  async stats(volumes: readonly LogicalVolume[], missingDisks: number): Promise<PoolStats | undefined> {
    const pool = this.forNew;
    if (pool === undefined) return undefined;
    const lvm = urgently(this.parts.openGroup.shell);
    const found = await this.report(pool, lvm);
    if (!found) return refusing({ totalBytes: 0, freeBytes: 0 }, errors.thinPoolMissing(this.nameOf(pool)));
    const before = this.usage(pool, found, volumes);
    if (missingDisks > 0) return { ...spaceOf(before), acceptsCreates: false };
    try {
      const usage = this.usage(pool, await this.usable(pool, lvm), volumes);
      const refused = refusal(usage, 0);
      if (refused) return refusing(spaceOf(usage), refused);
      const problem = warning(usage)?.message;
      return { ...spaceOf(usage), acceptsCreates: true, ...(problem === undefined ? {} : { problem }) };
    } catch (error) {
      if (!isOfPool(error)) throw error;
      return refusing(spaceOf(before), error);
    }
  }

  /** Returns the error for a command that LVM refused because of the usage of the pool. */
  refused(pool: string, { messages }: LvmAnswer): BlockstoreError {
    return errors.thinPoolRefuses(this.nameOf(pool), messages.join('; '));
  }

  nameOf(pool: string): ThinPoolName {
    return { backend: this.parts.backend, name: `${this.group}/${pool}` };
  }

  /** Returns an active pool in which volumes may be made. Throws ThinPoolMissing, ThinPoolUnusable. */
  private async usable(pool: string, lvm = this.parts.openGroup.shell): Promise<ThinPoolReport> {
    const name = this.nameOf(pool);
    const found = await this.report(pool, lvm);
    if (!found) throw errors.thinPoolMissing(name);
    this.refuseWrong(pool, found);
    await this.zeroing(pool, found);
    const active = hasFigures(found) ? found : await this.activated(pool);
    if (active.damage !== undefined) throw errors.thinPoolBroken(name, active.damage);
    return active;
  }

  /** Throws ThinPoolUnusable for what is no pool, and for one that is neither ours nor named by the flags. */
  private refuseWrong(pool: string, found: ThinPoolReport): void {
    const name = this.nameOf(pool);
    if (!found.isPool) throw errors.notThinPool(name);
    if (isPoolOfOurs(found) || pool === this.parts.options.thinPool) return;
    throw pool === this.forNew ? errors.thinPoolForeign(name) : errors.snapshotInOtherPool(name);
  }

  /** The settings of a pool of ours are ours, those of another one are its administrator's. */
  private async zeroing(pool: string, found: ThinPoolReport | undefined): Promise<void> {
    if (found === undefined || found.isZeroing) return;
    if (!isPoolOfOurs(found)) throw errors.thinPoolNotZeroing(this.nameOf(pool));
    await this.parts.changes.carryOut(['lvchange', '-Zy', `${this.group}/${pool}`]);
  }

  private async activated(pool: string): Promise<ThinPoolReport> {
    const name = this.nameOf(pool);
    const args = ['lvchange', '-ay', '-y', '-K', name.name];
    const answer = await this.parts.openGroup.shell.command(args, { timeoutMs: checkTimeoutMs });
    const found = await this.report(pool);
    if (found && hasFigures(found)) return found;
    if (found?.damage !== undefined) throw errors.thinPoolBroken(name, found.damage);
    throw errors.thinPoolInactive(name, answer.messages.join('; ') || 'LVM leaves it inactive without an error');
  }

  private async report(pool: string, lvm = this.parts.openGroup.shell): Promise<ThinPoolReport | undefined> {
    return thinPoolReport(lvm, this.group, pool);
  }

  private usage(pool: string, report: ThinPoolReport, volumes: readonly LogicalVolume[]): ThinUsage {
    const promisedBytes = sizesIn(pool, report, volumes);
    const ratio = this.parts.options.maxOverSubscription;
    return { name: this.nameOf(pool), report, promisedBytes, ratio };
  }

  private get group(): string {
    return this.parts.options.volumeGroup;
  }
}

function isOfPool(error: unknown): error is BlockstoreError {
  return error instanceof BlockstoreError && error.code === 'ThinPoolUnusable';
}

function hasFigures({ dataPercent, metadataPercent }: ThinPoolReport): boolean {
  return dataPercent !== undefined && metadataPercent !== undefined;
}

/** Usage in whole percents: a report whose figures are those of the last one is a short one. */
function spaceOf(usage: ThinUsage): Pick<DriverStats, 'totalBytes' | 'freeBytes' | 'usage'> {
  const totalBytes = promisableBytes(usage);
  const { dataPercent, metadataPercent } = usage.report;
  const isKnown = dataPercent !== undefined && metadataPercent !== undefined;
  return {
    totalBytes,
    freeBytes: Math.max(0, totalBytes - usage.promisedBytes),
    ...(isKnown
      ? { usage: { dataPercent: Math.round(dataPercent), metadataPercent: Math.round(metadataPercent) } }
      : {}),
  };
}

function refusing(space: ReturnType<typeof spaceOf>, { message }: BlockstoreError): PoolStats {
  return { ...space, acceptsCreates: false, problem: message };
}
