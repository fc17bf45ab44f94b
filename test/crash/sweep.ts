import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { AttachmentCommands } from '../../lib/client/attachment-commands.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type Outcome, differences, outcomeAt, withVolumeParts } from './outcome.ts';
import { clearGroups, withMembers } from './clear-groups.ts';
import type { Place } from './place.ts';
import { type Plan, type Point, pointsIn, retrySuffix } from './plan.ts';
import { Reports, reported } from './reports.ts';
import { type Scene, bystander, makeAttached } from './scenes.ts';

/** When a client repeats its request. */
const retries = ['while down', 'afterwards'] as const;
type Retry = (typeof retries)[number];

export interface Failure {
  point: Point;
  retry: Retry | undefined;
  problems: readonly string[];
}

/** Report intervals in which nothing may be seen to change before recovery has ended. */
const intervals = 2;
/** While data are copied, as on a busy machine for several seconds, nothing is seen to change. */
const intervalsOfCopies = 10;
const longestMs = 300_000;
const deadline = { deadlineMs: longestMs };
/**
 * Effects of the check of the access filter, every ten seconds, progress, reports without changes, the copy of LVM's metadata, at
 * most one per report, and commands of Ceph, whose answers are kept for a second: some runs have one more than others.
 */
const periodic =
  /^(?:perl tc\.pl |script commit, (?:progress|retry)|script repeat_report$|lvm [<>] (?:answer to )?vgcfgbackup|(?:start|end of) (?:rbd|rados|ceph) --id|(?:start|end of) ceph-conf )/;
/** Only in the first request of a daemon that needs it. */
const oncePerDaemon = /^start perl launcher\.pl$/;
const noPoint: Point = { number: 0, moment: 'before', name: '', turn: 0 };

/** One scene at one place: a run without a crash, then one per point and kind of repetition, then the end. */
export class Sweep {
  private readonly place: Place;
  private readonly scene: Scene;
  /** Part of each volume by id. */
  private parts = new Map<string, string>();
  private ignore: string[] = [];
  private missed = 0;
  private expected: readonly string[] = [];
  /** What is in the volumes then. */
  private expectedData: readonly string[] = [];
  /** Last known export processes by volume. */
  private exporters: Outcome['exporters'] = new Map();
  /** The bystander that was there then. */
  private seen = '';

  constructor(place: Place, scene: Scene) {
    this.place = place;
    this.scene = scene;
  }

  /** First step: determines the outcome without a crash, and the points. A step that is retried has some that come in no other run. */
  async rehearse(tries = 3): Promise<Point[]> {
    const { place, scene } = this;
    await this.begin();
    if (!scene.idle) this.ignore = await this.idleEffects();
    const asked = await this.play(noPoint);
    const problems = [...(await asked.answer), ...(await this.findDifferences())];
    if (problems.length > 0) throw new Error(`without any crash: ${problems.join('; ')}`);
    const points = pointsIn(await place.trace()) ?? [];
    this.expected = this.withVolumeParts((await outcomeAt(place)).lines);
    this.expectedData = await this.data();
    await this.clear();
    return tries > 1 && points.some(({ name }) => name.endsWith(retrySuffix)) ? this.rehearse(tries - 1) : points;
  }

  /** Returns the faults of a crash at one point, with both kinds of repetition or one of them. */
  async at(point: Point, everyWay: boolean): Promise<{ runs: number; missed: number; failures: Failure[] }> {
    const ways = this.scene.again ? retries.filter((_, index) => everyWay || index === wayAt(point)) : [undefined];
    const failures: Failure[] = [];
    const { missed } = this;
    for (const retry of ways) {
      const problems = await this.crash(point, retry).catch((error: unknown) => [String(error)]);
      if (problems.length === 0) continue;
      failures.push({ point, retry, problems: [...problems, `the daemon said:\n${await this.place.log()}`] });
      await this.reset();
    }
    return { runs: ways.length, missed: this.missed - missed, failures };
  }

  /** Last step. Throws when something remains. */
  async end(): Promise<void> {
    const problems = this.parts.size === 0 ? [] : await this.clear();
    if (problems.length > 0) throw new Error(problems.join('; '));
  }

  private async reset(): Promise<void> {
    this.parts = new Map();
    await this.place.reset();
  }

  private async crash(point: Point, retry: Retry | undefined): Promise<string[]> {
    const { place } = this;
    if (oncePerDaemon.test(point.name)) await place.kill();
    await this.begin();
    const exporter = await this.exporterOfBystander();
    const asked = await this.play(point);
    if (!(await this.ends(asked.answer)) && (await this.isSpared())) {
      if (!this.scene.idle && !periodic.test(point.name)) return ['the daemon did not come to this point'];
      this.missed += 1;
      return this.clear();
    }
    const early = retry === 'while down' ? this.askAgain() : [];
    await place.start();
    const first = await this.findDifferences();
    const problems = [...first, ...(await asked.answer), ...(await early)];
    if (retry === 'afterwards') problems.push(...(await this.askAgain()));
    if (retry) problems.push(...(await this.findDifferences()));
    if (problems.length === 0) problems.push(...differences(this.expectedData, await this.data()));
    if (this.exporters.get(this.cast(bystander)) !== exporter)
      problems.push('the export of the bystander was interrupted');
    if (problems.length === 0) problems.push(...(await this.clear(this.next())));
    return problems;
  }

  /** Returns its state at the end of the last run; if the bystander is new, its current state. */
  private async exporterOfBystander(): Promise<string | undefined> {
    const id = this.cast(bystander);
    if (id !== this.seen) this.exporters = (await this.place.look()).exporters;
    this.seen = id;
    return this.exporters.get(id);
  }

  /** Whether the daemon reaches the point. Concurrent activities can omit an effect of another run. */
  private async ends(answer: Promise<string[]>): Promise<boolean> {
    const ended = new AbortController();
    const over = answer
      .then(() => reported(this.place, intervals, ended.signal))
      .then(
        () => false,
        () => true, // it reports no more
      );
    try {
      return await Promise.race([this.place.ended().then(() => true), over]);
    } finally {
      ended.abort();
    }
  }

  /** Whether the daemon runs and no longer dies at a point, which it could reach during the next request. */
  private async isSpared(): Promise<boolean> {
    await this.place.arm({ ...noPoint, ignore: [] });
    return this.place.running();
  }

  /** Returns the id of the volume with a part. */
  private readonly cast = (part: string): string => {
    const known = [...this.parts].find(([, name]) => name === part)?.[0];
    const id = known ?? randomUUID();
    this.parts.set(id, part);
    return id;
  };

  /** Prepares the scene. */
  private async begin(): Promise<void> {
    const { place, scene, cast } = this;
    if (scene.fresh) await this.reset();
    else {
      if (!(await place.running())) await place.start();
      await makeAttached(place, cast(bystander));
    }
    await scene.prepare(place, cast);
  }

  /** Sends the request while the daemon counts. Returns the faults from the client's view. */
  private async play(point: Point): Promise<{ answer: Promise<string[]> }> {
    const { place, scene, cast } = this;
    const plan: Plan = { ...point, ignore: this.ignore };
    if (!scene.starting) await place.arm(plan);
    const answer = scene.ask(place, cast).then(
      () => [],
      (error: unknown) => [`the client got: ${String(error)}`],
    );
    if (scene.starting) await place.start(plan);
    return { answer };
  }

  private async askAgain(): Promise<string[]> {
    const { place, scene, cast } = this;
    try {
      await scene.ask(place, cast);
      return [];
    } catch (error) {
      const isRight = error instanceof BlockstoreError && scene.again?.includes(error.code);
      return isRight ? [] : [`the repeated request failed: ${String(error)}`];
    }
  }

  /** Returns the differences that remain after some report intervals; none as soon as everything agrees. */
  private findDifferences(): Promise<string[]> {
    return this.well((lines) =>
      this.expected.length > 0 ? differences(this.expected, this.withVolumeParts(lines)) : [],
    );
  }

  /** Checks again until there is no difference, or nothing has changed for some report intervals, or the time is over. */
  private async well(wrong: (lines: readonly string[]) => string[]): Promise<string[]> {
    let reports = new Reports(this.place);
    const enough = this.place.copies ? intervalsOfCopies : intervals;
    let before = '';
    for (const begin = performance.now(); ; await pause(20)) {
      // Counted first: a difference after that report is final.
      const late = (await reports.count()) > enough || performance.now() - begin > longestMs;
      // Objects that change during the check are checked again.
      const { problems, lines, exporters } = await outcomeAt(this.place).catch(
        (error: unknown): Outcome => ({ problems: [String(error)], lines: [], exporters: new Map() }),
      );
      this.exporters = exporters;
      const all = [...problems, ...wrong(lines)];
      if (all.length === 0 || late) return all;
      // On a busy machine a deletion that makes progress takes longer than the intervals.
      const now = lines.join('\n');
      if (now !== before) reports = new Reports(this.place);
      before = now;
    }
  }

  private async data(): Promise<string[]> {
    return this.withVolumeParts((await this.place.copies?.data()) ?? []);
  }

  private withVolumeParts(lines: readonly string[]): string[] {
    return withVolumeParts(lines, withMembers(this.parts), this.scene.starting ?? false);
  }

  /** Returns the parts of volumes in the next run by id. */
  private next(): Map<string, string> {
    const next: Readonly<Record<string, string>> = { ...this.scene.next, [bystander]: bystander };
    return new Map(
      [...this.parts].flatMap(([id, part]) => {
        const later = next[part];
        return later === undefined ? [] : [[id, later]];
      }),
    );
  }

  /** Deletes all volumes without a part through the daemon. */
  private async clear(parts = new Map<string, string>()): Promise<string[]> {
    const { commands, snapshots, store, copies } = this.place;
    this.parts = parts;
    await copies?.clear();
    await clearGroups(this.place, deadline.deadlineMs);
    const records = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
    const ended = records.filter(({ id }) => !parts.has(id));
    await Promise.all(
      ended.map(async ({ id, attachments }) => {
        for (const one of attachments) await new AttachmentCommands(store, commands).delete(one, deadline);
        for await (const snapshot of snapshotsOf(store).iterate(store.keys.volumeSnapshots(id))) {
          await snapshots.delete(snapshot.id, deadline);
        }
        await commands.delete(id, deadline);
      }),
    );
    const isLeft = (line: string) => !line.startsWith('file ') && ![...parts.keys()].some((id) => line.includes(id));
    return this.well((lines) => lines.filter(isLeft).map((line) => `left at the end: ${line}`));
  }

  /** Returns the effects of an idle daemon. */
  private async idleEffects(): Promise<string[]> {
    const { place } = this;
    await place.arm({ ...noPoint, ignore: [] });
    await reported(place, intervals + 1);
    return [...new Set(pointsIn(await place.trace())?.map(({ name }) => name))];
  }
}

/** After an effect and before the next one the state is nearly the same: that has both kinds of repetition. */
function wayAt({ number }: Point): number {
  return number % retries.length;
}
