import type { AuditRequest, Finding, NotCompared } from '../../lib/audit/finding.ts';
import { asError, errors } from '../../lib/errors.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type VolumeState, contradiction } from '../../lib/models/volume-state.ts';
import { attachmentDifferences } from './audit/attachments.ts';
import { AllocationAudit } from './audit/allocation.ts';
import type { Difference } from './audit/difference.ts';
import {
  exportDifferences,
  exportsBeside,
  foreignAnswer,
  orphanedExports,
  unobservedAddresses,
} from './audit/exports.ts';
import { recordDifferences } from './audit/record.ts';
import { migrationStorage, volumesOfMigrations } from './audit/migration-storage.ts';
import { storageDifferences } from './audit/storage.ts';
import { isMarked } from './specs.ts';
import type { Adopter, AdoptionOptions } from './adopter.ts';
import { snapshotDifferences } from './audit/snapshots.ts';
import type { Engine } from './engine/engine.ts';
import type { Problems } from './problems.ts';
import type { SnapshotRecords } from './snapshot-records.ts';

export interface AuditOptions extends AdoptionOptions {
  engine: Engine;
  adoption: Adopter;
  problems: Problems;
  snapshots: SnapshotRecords;
}

export interface AuditContext extends AuditOptions {
  /** Does work on a volume, as its record is then, while no operation runs on it. */
  exclusively: (id: string, work: (volume: VolumeState) => Promise<unknown>) => Promise<unknown>;
}

export interface AuditResult {
  findings: Finding[];
  busy: Set<string>;
  resumed: Set<string>;
  notCompared: NotCompared[];
}

/** Compares the records of this node with its storage, its exports and what is counted as allocated. */
export class Audit {
  private readonly context: AuditContext;

  constructor(options: AuditOptions) {
    const exclusively = (id: string, work: (volume: VolumeState) => Promise<unknown>) =>
      options.engine.exclusively(id, async () => {
        const volume = await volumesOf(options.store).find(id);
        if (!volume) throw errors.volumeNotFound(id);
        await work(volume);
      });
    this.context = { ...options, exclusively };
  }

  /**
   * Examines twice: what is merely under way is gone at the second time. `busy` are the volumes that were not examined, because
   * something was under way; `resumed` those that were not, as their tasks had to be resumed first; `notCompared` is what could not be
   * compared. Where a volume's record or storage had to be repaired first, its export is examined after that. Throws what keeps it from
   * examining.
   */
  async run(
    request: AuditRequest,
    signal: AbortSignal,
    { asksNetwork = true }: { asksNetwork?: boolean } = {},
  ): Promise<AuditResult> {
    const { isUnfinished, ...first } = await this.examine(request, signal, asksNetwork);
    if (!isUnfinished) return first;
    const second = await this.examine(request, signal, false);
    const known = new Set(first.findings.map(nameOf));
    return {
      findings: [...first.findings, ...second.findings.filter((finding) => !known.has(nameOf(finding)))],
      busy: new Set([...first.busy, ...second.busy]),
      resumed: new Set([...first.resumed, ...second.resumed]),
      notCompared: second.notCompared,
    };
  }

  /** `isUnfinished`: something was repaired of a volume whose export is not examined before that. */
  private async examine(
    { repair, recordsOnly = false, remove }: AuditRequest,
    signal: AbortSignal,
    asksNetwork: boolean,
  ): Promise<AuditResult & { isUnfinished: boolean }> {
    const busy = new Set<string>();
    const resumed = new Set<string>();
    const unobserved = asksNetwork ? await unobservedAddresses(this.context) : [];
    const once = await this.compare(remove, busy);
    const first = [...unobserved, ...once.differences];
    if (first.length === 0 && once.notCompared.length === 0)
      return { findings: [], busy, resumed, notCompared: [], isUnfinished: false };
    const before = new Set(first.map(nameOf));
    const repeated = await this.compare(remove, busy);
    const second = [...unobserved, ...repeated.differences];
    const differences = second.filter((difference) => before.has(nameOf(difference)));
    for (const difference of second) {
      if (!before.has(nameOf(difference))) busy.add(idIn(difference));
    }
    const findings: Finding[] = [];
    let isUnfinished = false;
    for (const difference of differences) {
      const { object, what, fix, run, makesRecord, requested } = difference;
      const finding = { node: this.context.lease.node, object, what, fix, fixed: false };
      const isWanted = requested ?? (repair && (!recordsOnly || makesRecord === true));
      if (isWanted && difference.resumes) resumed.add(idIn(difference));
      findings.push(run && isWanted ? Object.assign(finding, await this.repair(() => run(signal))) : finding);
      isUnfinished ||= finding.fixed && repeated.withoutExport.has(idIn(difference));
      signal.throwIfAborted();
    }
    return { findings, busy, resumed, notCompared: repeated.notCompared, isUnfinished };
  }

  private async repair(run: () => Promise<unknown>): Promise<Pick<Finding, 'fixed' | 'failure'>> {
    try {
      await run();
      return { fixed: true };
    } catch (error) {
      return { fixed: false, failure: asError(error).message };
    }
  }

  private async compare(
    remove: readonly string[],
    busy: Set<string>,
  ): Promise<{ differences: Difference[]; notCompared: NotCompared[]; withoutExport: ReadonlySet<string> }> {
    const { backends, store, lease, engine, adoption, snapshots } = this.context;
    for (const id of engine.busyIds) busy.add(id); // it may end between the list of storage and the record
    const stored = await adoption.readStorage();
    const storedSnapshots = await snapshots.readStorage();
    /** Volumes on which nothing is under way. */
    const idle: string[] = [];
    /** Volumes that do not contradict themselves; `isWhole`: nor their storage. */
    const consistent: { volume: VolumeState; isWhole: boolean }[] = [];
    const exports = (await Promise.all(backends.served.map(({ target }) => target.listExports()))).flat();
    const exportsById = new Map(exports.map((found) => [found.id, found]));
    const allocation = await AllocationAudit.begin(this.context);
    /** Backends of the recorded volumes; undefined where that is not known. */
    const recorded = new Map<string, string | undefined>();
    const users = new Map<string, string>();
    const differences: Difference[] = [];
    const records = volumesOf(store).iterate(store.keys.nodeVolumes(lease.node), ({ id, reason }) => {
      recorded.set(id, undefined);
      allocation.addUnreadable();
      this.context.problems.noteUnreadable(id, reason); // read again with each report
      differences.push({ object: `volume ${id}`, what: `has an unusable record: ${reason}`, fix: '' });
    });
    for await (const volume of records) {
      recorded.set(volume.id, volume.backend);
      allocation.add(volume);
      if (engine.isBusy(volume.id)) {
        busy.add(volume.id);
        continue;
      }
      if (!volume.task) idle.push(volume.id);
      adoption.learn(volume);
      const running = exportsById.get(volume.id);
      const own = await recordDifferences(this.context, volume, { found: stored.of(volume), running }, users);
      differences.push(
        ...own,
        ...foreignAnswer(this.context, volume),
        ...(await exportsBeside(this.context, volume, exports)),
      );
      if (!volume.task && contradiction(volume) === undefined) consistent.push({ volume, isWhole: own.length === 0 });
    }
    const ofAttachments = await attachmentDifferences(
      this.context,
      consistent.map(({ volume }) => volume),
    );
    differences.push(...ofAttachments);
    // First the record has the right hosts, then the export.
    const odd = new Set(ofAttachments.map(idIn));
    const withoutExport = new Set<string>();
    for (const { volume, isWhole } of consistent) {
      if (!isWhole || odd.has(volume.id)) {
        withoutExport.add(volume.id);
        continue;
      }
      differences.push(...(await exportDifferences(this.context, volume, exportsById.get(volume.id))));
    }
    const underWay = await volumesOfMigrations(this.context);
    for (const volume of stored.all) {
      if (isMarked(volume.labels)) {
        differences.push(
          ...(await migrationStorage(this.context, volume, { underWay, isToRemove: remove.includes(volume.id) })),
        );
        continue;
      }
      if (recorded.has(volume.id) && (recorded.get(volume.id) ?? volume.backend.name) === volume.backend.name) continue;
      // A deletion that goes on after Redis lost the record: made again, the record would have no storage.
      if (engine.isBusy(volume.id)) {
        busy.add(volume.id);
        continue;
      }
      const running = exportsById.get(volume.id);
      const own = await storageDifferences(this.context, volume, running, remove.includes(volume.id));
      differences.push(...own);
      // Its snapshots have lost their records with it, and have them again after it.
      if (own.some(({ makesRecord }) => makesRecord === true)) idle.push(volume.id);
    }
    differences.push(...(await snapshotDifferences(this.context, storedSnapshots, idle, remove)));
    const known = new Set([...recorded.keys(), ...stored.ids]);
    differences.push(...orphanedExports(this.context, exports, known));
    await allocation.addMigrations();
    const allocated = await allocation.end();
    return {
      // Counters first: a record that is made again changes them.
      differences: [...allocated.differences, ...differences],
      notCompared: [...notServed(this.context), ...allocated.notCompared],
      withoutExport,
    };
  }
}

/** Storage and exports of backends that are not served. */
function notServed({ backends, lease }: AuditContext): NotCompared[] {
  return backends.configured.flatMap(({ name }) => {
    const reason = backends.failureOf(name);
    return reason === undefined ? [] : [{ object: `volumes of backend ${lease.node}@${name}`, reason }];
  });
}

function idIn({ object }: Pick<Difference, 'object'>): string {
  return object.replace(/^volume /, '');
}

function nameOf({ object, what }: Pick<Difference, 'object' | 'what'>): string {
  return `${object} ${what}`;
}
