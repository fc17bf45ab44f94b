import type { AuditRequest, Finding } from '../../lib/audit/finding.ts';
import { type FoundVolume, hasLabels, sizeInBytes } from '../../lib/drivers/driver.ts';
import { asError, errors } from '../../lib/errors.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { Volume } from '../../lib/models/volume.ts';
import type { FoundExport } from '../../lib/targets/target.ts';
import { type Adoption, type AdoptionOptions, awayCodes } from './adoption.ts';
import { exportSpec, fieldsIn, volumeSpec } from './backend.ts';
import { dueOperation } from './operations/operations.ts';

/** A difference, and how it is mended; without `run` only a person can. */
interface Difference {
  object: string;
  what: string;
  mend: string;
  run?: (signal: AbortSignal) => Promise<unknown>;
  /** A record is made again; nothing else changes. */
  makesRecord?: true;
  /** It is done although no repair is asked for. */
  asked?: true;
}

/** Compares the records of this node with what is on its storage, what it exports, and which numbers are given out. */
export class Audit {
  private readonly options: AdoptionOptions;
  private readonly adoption: Adoption;

  constructor(options: AdoptionOptions, adoption: Adoption) {
    this.options = options;
    this.adoption = adoption;
  }

  /**
   * What is merely under way is not there at a second look. `busy` are the volumes that were not looked at, because something was
   * done to them. Throws what keeps it from looking.
   */
  async run(
    { repair, recordsOnly = false, remove }: AuditRequest,
    signal: AbortSignal,
  ): Promise<{ findings: Finding[]; busy: Set<string> }> {
    const busy = new Set<string>();
    const first = await this.compare(remove, busy);
    if (first.length === 0) return { findings: [], busy };
    const before = new Set(first.map(nameOf));
    const second = await this.compare(remove, busy);
    const differences = second.filter((difference) => before.has(nameOf(difference)));
    for (const difference of second)
      if (!before.has(nameOf(difference))) busy.add(difference.object.replace(/^volume /, ''));
    const findings: Finding[] = [];
    for (const { object, what, mend, run, makesRecord, asked } of differences) {
      const finding = { node: this.options.node.identifier, object, what, mend, mended: false };
      const wanted = asked ?? (repair && (!recordsOnly || makesRecord === true));
      findings.push(run && wanted ? Object.assign(finding, await this.mend(() => run(signal))) : finding);
      signal.throwIfAborted();
    }
    return { findings, busy };
  }

  private async mend(run: () => Promise<unknown>): Promise<Pick<Finding, 'mended' | 'trouble'>> {
    try {
      await run();
      return { mended: true };
    } catch (error) {
      return { mended: false, trouble: asError(error).message };
    }
  }

  private async compare(remove: readonly string[], busy: Set<string>): Promise<Difference[]> {
    const { backend, store, node, engine } = this.options;
    for (const id of engine.busyIds) busy.add(id); // it may end between the list of storage and the record
    const stored = new Map((await backend.driver.listVolumes()).map((volume) => [volume.id, volume]));
    const exports = backend.target.name === 'none' ? undefined : await backend.target.listExports();
    const recorded = new Set<string>();
    const differences: Difference[] = [];
    for await (const volume of Volume.records(store).associatedTo('node', node.identifier)) {
      recorded.add(volume.id);
      if (engine.isBusy(volume.id)) {
        busy.add(volume.id);
        continue;
      }
      differences.push(...this.ofRecord(volume, stored.get(volume.id), exports));
    }
    for (const volume of stored.values()) {
      if (!recorded.has(volume.id)) differences.push(...(await this.ofStorage(volume, remove.includes(volume.id))));
    }
    for (const { id, path } of exports ?? []) {
      if (id === undefined || recorded.has(id) || stored.has(id)) continue;
      const run = () => backend.target.removeExport(id);
      differences.push({
        object: `volume ${id}`,
        what: `is exported (${path}) and does not exist`,
        mend: 'end the export',
        run,
      });
    }
    return [...differences, ...(await this.ofNumbers())];
  }

  private ofRecord(
    volume: VolumeState,
    found: FoundVolume | undefined,
    exports: readonly FoundExport[] | undefined,
  ): Difference[] {
    const { backend, engine } = this.options;
    const object = `volume ${volume.id}`;
    const inTurn = (work: (now: VolumeState) => Promise<unknown>) => () => this.inTurn(volume.id, work);
    const operation = dueOperation(volume);
    if (isTransitional(volume) && operation) {
      const run = async () => engine.redrive(volume, operation);
      return [{ object, what: `waits for its ${operation.name}, which nobody is at`, mend: 'take it up again', run }];
    }
    if (volume.status === 'error' && !awayCodes.has(volume.fault?.code ?? '')) return [];
    if (volume.status === 'error_deleting') return [];
    if (!found) return [this.lost(volume)];
    const differences: Difference[] = [];
    if (found.sizeBytes < sizeInBytes(volume.size)) {
      differences.push({
        object,
        what: `has ${found.sizeBytes} bytes on storage, ${sizeInBytes(volume.size)} in its record`,
        mend: '',
      });
    } else if (Object.keys(found.labels).length > 0 && !hasLabels(found.labels, volumeSpec(volume).labels)) {
      const run = inTurn((now) => backend.driver.labelVolume(volumeSpec(now)));
      differences.push({ object, what: 'has other labels on its storage than its record', mend: 'label it anew', run });
    }
    const running = exports?.find(({ id }) => id === volume.id);
    const serve = { run: inTurn((now) => this.adoption.serve(now)) };
    if (exports && !running) differences.push({ object, what: 'is not exported', mend: 'export it', ...serve });
    if (running && running.address !== volume.aoeDevice) {
      const what = `is exported as ${running.address}, not as ${volume.aoeDevice}`;
      differences.push({ object, what, mend: 'export it anew', ...serve });
    } else if (running) {
      const specified = exportSpec(volume, backend);
      if (rightsOf(running) !== rightsOf(specified)) {
        const what = `is exported ${rightsOf(running)}, not ${rightsOf(specified)}`;
        differences.push({ object, what, mend: 'export it anew', ...serve });
      }
    }
    if (volume.status === 'error') {
      const run = inTurn((now) => this.adoption.findAgain(now));
      differences.push({ object, what: 'is in error, and its storage is there', mend: 'make it available again', run });
    }
    return differences;
  }

  private lost(volume: VolumeState): Difference {
    const object = `volume ${volume.id}`;
    const what = 'has a record but no storage';
    if (volume.fault?.code === 'StorageMissing') return { object, what, mend: '' };
    const run = () => this.inTurn(volume.id, async (now) => this.adoption.lose(now));
    return { object, what, mend: 'put its record into error', run };
  }

  private async ofStorage(found: FoundVolume, remove: boolean): Promise<Difference[]> {
    const { store, backend } = this.options;
    const object = `volume ${found.id}`;
    const record = await Volume.records(store).find(found.id);
    const what = record
      ? `has storage here, but its record is of node ${record.node || 'nobody yet'}`
      : 'has storage but no record';
    if (remove && record) {
      const refuse = () => Promise.reject(errors.storageRecorded(found.id, record.node, record.status));
      return [{ object, what, mend: 'remove the storage, as asked', run: refuse, asked: true }];
    }
    if (remove) {
      const run = async (signal: AbortSignal) => {
        await backend.target.removeExport(found.id);
        await backend.driver.deleteVolume({ size: 0, ...found }, { signal });
      };
      return [{ object, what, mend: 'remove the storage, as asked', run, asked: true }];
    }
    const { size, userId, projectId } = fieldsIn(found.labels);
    const isKnown = size !== undefined && userId !== undefined && projectId !== undefined;
    if (record || !isKnown) return [{ object, what, mend: '' }];
    return [
      {
        object,
        what,
        mend: 'make its record again',
        run: () => this.adoption.adoptUnrecorded(found),
        makesRecord: true,
      },
    ];
  }

  private async ofNumbers(): Promise<Difference[]> {
    const { node, shelves } = this.options;
    const found = await node.checkNumbers(shelves.slots, false);
    return found.map(([number, fault]) => {
      const difference = Object.assign({ object: `number ${number}` }, numberWords[fault]);
      if (fault === 'twice') return difference;
      return Object.assign(difference, { run: () => node.checkNumbers(shelves.slots, true) });
    });
  }

  private inTurn(id: string, work: (volume: VolumeState) => Promise<unknown>): Promise<unknown> {
    const { engine, store } = this.options;
    return engine.inTurn(id, async () => {
      const volume = await Volume.records(store).find(id);
      if (!volume) throw errors.volumeNotFound(id);
      await work(volume);
    });
  }
}

const numberWords = {
  lost: { what: 'is neither free nor in use', mend: 'make it free' },
  'free too': { what: 'is free, though it is in use or of another node', mend: 'take it from the free ones' },
  foreign: { what: 'is in use here, but its shelf is not of this node', mend: "claim the shelf, if it is nobody's" },
  twice: { what: 'is of two volumes', mend: '' },
} as const;

/** Who may do what with an export, in words. */
function rightsOf({ readOnly, hosts }: Pick<FoundExport, 'readOnly' | 'hosts'>): string {
  return `${readOnly ? 'read-only' : 'for writing'} for ${hosts.toSorted().join(', ') || 'all hosts'}`;
}

function nameOf({ object, what }: Difference): string {
  return `${object} ${what}`;
}
