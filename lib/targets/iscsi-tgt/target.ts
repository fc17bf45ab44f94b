import { join } from 'node:path';
import { KeyedMutex } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { initiatorNames, targetNameOf, volumeOfTargetName, volumeUnit } from '../../iscsi/address.ts';
import { SpecFiles } from '../../iscsi/spec-files.ts';
import { Watch } from '../server-watch.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import { PortalTarget, type PortalTargetOptions, foundAddress } from '../../iscsi/portal-target.ts';
import type { ExportSpec, FoundExport, Target, TargetProblem } from '../target.ts';
import { Exports, isComplete, servesOnly, volumeIn } from './exports.ts';
import { type StoredSpec, storedSpec, storedSpecSchema, sameSpec } from './stored-spec.ts';
import type { ShownTarget } from './show.ts';
import { TgtadmFailure, everyHost } from './tgtadm.ts';
import { type Daemon, Tgtd } from './tgtd.ts';

export interface IscsiTgtOptions extends PortalTargetOptions {
  /** Files of tgtd and of exports are kept in `<stateDir>/iscsi`. */
  stateDir: string;
  /** Default: as a unit of systemd where that is installed. */
  isUnit?: boolean;
}

/** Exports volumes over iSCSI, one target each in a tgtd of this node's own, which outlives the daemon. */
export class IscsiTgtTarget extends PortalTarget<IscsiTgtOptions> implements Target {
  readonly name = 'iscsi-tgt';
  private readonly tgtd: Tgtd;
  private readonly files: SpecFiles<StoredSpec>;
  private readonly exports: Exports;
  protected readonly watch: Watch;
  private readonly mutex = new KeyedMutex();
  /** Exports that this daemon has been asked for. */
  private readonly specs = new Map<string, StoredSpec>();
  /** Those of them that `daemon` was last seen to serve as specified. */
  private readonly served = new Map<string, StoredSpec>();
  /** Those whose first ensureExport() has ended: the watch rebuilds them. */
  private readonly established = new Set<string>();
  private daemon: Daemon | undefined;

  constructor(options: IscsiTgtOptions, { processes, log }: { processes: Processes; log: Log }) {
    super(options);
    const directory = join(options.stateDir, 'iscsi');
    const unit = options.isUnit === undefined ? {} : { isUnit: options.isUnit };
    this.tgtd = new Tgtd({ portal: options.portal, directory, ...unit }, { processes, log });
    this.files = new SpecFiles(join(directory, 'exports'), storedSpecSchema);
    this.exports = new Exports(this.tgtd, this.files, log);
    this.watch = new Watch({
      server: { name: 'the iSCSI target daemon', loser: 'tgtd' },
      isDown: () => this.specs.size > 0 && !this.isRunning,
      start: () => this.start(),
      lost: () => this.lost(),
      restore: (id) => this.restore(id),
      log,
    });
  }

  /** Throws CommandNotFound, PortalUnusable, TargetDaemonFailed. */
  async setup(): Promise<void> {
    await this.files.prepare();
    await this.start();
    await asErrors(() => this.tgtd.adm.targets());
    this.watch.begin();
  }

  ensureExport(spec: ExportSpec): Promise<void> {
    return this.establish(spec, (kept) => this.ensureServed(kept));
  }

  /**
   * tgtd reads the size when it opens the storage, and a unit that is replaced below a session fails its I/O. A target that is made anew
   * fails none: initiators connect again, and send again what was not answered.
   */
  resizeExport(spec: ExportSpec): Promise<void> {
    return this.establish(spec, async (kept) => {
      await this.end(kept.id);
      await this.ensureServed(kept);
    });
  }

  private async establish(spec: ExportSpec, make: (kept: StoredSpec) => Promise<void>): Promise<void> {
    const { targetPrefix, durability } = this.options;
    const hosts = initiatorNames(spec.hosts);
    const kept = storedSpec({ ...spec, hosts }, targetNameOf(targetPrefix, spec.id), durability);
    await this.mutex.run(spec.id, async () => {
      this.specs.set(spec.id, kept);
      try {
        await make(kept);
        this.watch.clear(spec.id);
      } finally {
        this.established.add(spec.id);
      }
    });
  }

  async removeExport(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      this.specs.delete(id);
      this.established.delete(id);
      this.watch.clear(id);
      await this.end(id);
      await this.files.remove(id);
    });
  }

  async listExports(): Promise<FoundExport[]> {
    const daemon = await this.tgtd.find();
    if (!daemon) return [];
    const shown = await asErrors(() => this.tgtd.adm.targets().catch(noneWhereDown));
    const kept = await this.files.readAll();
    const byName = new Map([...kept.values()].map((spec) => [spec.targetName, spec]));
    return shown.map((target) => foundExport(target, daemon, byName.get(target.name)));
  }

  listTraces(): Promise<string[]> {
    return this.files.ids();
  }

  override problems(): readonly TargetProblem[] {
    if (this.daemon && this.tgtd.isStopped(this.daemon)) {
      const { pid } = this.daemon;
      return [
        {
          error: errors.targetDaemonFailed(`process ${pid} is stopped by a signal; to continue it: kill -CONT ${pid}`),
        },
      ];
    }
    return super.problems();
  }

  /** A tgtd that was started since has none of the exports. */
  private async start(): Promise<void> {
    const daemon = await this.tgtd.ensure();
    if (daemon.pid !== this.daemon?.pid || daemon.startTime !== this.daemon.startTime) this.served.clear();
    this.daemon = daemon;
  }

  /** Without tgtd there is no target, and no session. */
  private async end(id: string): Promise<void> {
    this.served.delete(id);
    if (await this.tgtd.find()) await asErrors(() => this.exports.end(id));
  }

  /** Throws the errors of Exports.ensure(). */
  private async ensureServed(spec: StoredSpec): Promise<void> {
    await asErrors(() => this.ensure(spec));
  }

  private async ensure(spec: StoredSpec): Promise<void> {
    const served = this.served.get(spec.id);
    if (served && sameSpec(served, spec) && this.isRunning) return;
    this.served.delete(spec.id);
    if (!this.isRunning) await this.start();
    try {
      await this.make(spec);
    } catch (error) {
      if (!(error instanceof TgtadmFailure) || !error.isDown) throw error;
      await this.start(); // it ended just now, or cannot be reached by its socket
      await this.make(spec);
    }
  }

  private async make(spec: StoredSpec): Promise<void> {
    const { daemon } = this;
    await this.exports.ensure(spec);
    if (daemon === this.daemon) this.served.set(spec.id, spec);
  }

  private get isRunning(): boolean {
    return this.daemon !== undefined && this.tgtd.isRunning(this.daemon);
  }

  /** Exports that tgtd does not serve as it should: it was started anew, or somebody has changed its targets. */
  private async lost(): Promise<string[]> {
    const ids = [...this.established];
    const shown = new Map((await asErrors(() => this.tgtd.adm.targets())).map((target) => [target.name, target]));
    const isServed = (spec: StoredSpec) => {
      const target = shown.get(spec.targetName);
      return target !== undefined && isComplete(target, spec) && servesOnly(target, spec);
    };
    return ids.filter((id) => {
      const spec = this.specs.get(id);
      return spec !== undefined && !isServed(spec);
    });
  }

  private async restore(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const spec = this.specs.get(id);
      if (!spec) return; // removed meanwhile
      this.served.delete(id);
      await this.ensureServed(spec);
    });
  }
}

function foundExport(target: ShownTarget, { portal }: Daemon, kept: StoredSpec | undefined): FoundExport {
  const { name, units, acl, accounts } = target;
  const unit = volumeIn(units);
  // One that is half made serves nobody: it is as if it were not there.
  const isServing = unit !== undefined && unit.path !== '' && acl.length > 0;
  const id = isServing ? (kept?.id ?? volumeOfTargetName(name)) : undefined;
  const { chap } = kept ?? {};
  return {
    ...(id === undefined ? {} : { id }),
    address: foundAddress(portal, name, unit?.lun ?? volumeUnit),
    path: unit?.path ?? '',
    readOnly: unit?.isReadOnly ?? false,
    hosts: acl.includes(everyHost) ? [] : acl.toSorted(),
    ...(chap && accounts.includes(chap.user) ? { chap } : {}),
  };
}

/** One that has just begun, or just ended, has no targets. */
function noneWhereDown(error: unknown): ShownTarget[] {
  if (error instanceof TgtadmFailure && error.isDown) return [];
  throw error;
}

/** tgtd's failures as errors of the catalogue. */
async function asErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof TgtadmFailure ? errors.targetDaemonFailed(error.message) : error;
  }
}
