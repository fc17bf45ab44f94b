import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type Scope, changedSince, isInput } from './part-inputs.ts';

const resultSchema = z.object({
  /** What was checked out, without changes to what the part depends on. */
  commit: z.string().regex(/^[0-9a-f]{7,40}$/),
  date: z.iso.date(),
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  seconds: z.number(),
});
export type Result = z.infer<typeof resultSchema>;
const resultsSchema = z.record(z.string(), resultSchema);
type Results = z.infer<typeof resultsSchema>;

/** Of this checkout, and those that are part of the repository. */
const ownName = path.join('var', 'test-all.json');
const recordName = path.join('test', 'all-results.json');

/** A part whose result can be kept. */
export interface Kept {
  name: string;
  scope: Scope;
}

/** A result, and what the part depends on that has changed since; undefined where its commit is not known here. */
export interface Known extends Result {
  changed: readonly string[] | undefined;
}

/** Results of parts, in a checkout of the repository. */
export class PartResults {
  private readonly root: string;
  private readonly changes = new Map<string, Promise<readonly string[] | undefined>>();
  private sources: readonly Results[] = [];

  constructor(root: string) {
    this.root = root;
  }

  async read(): Promise<void> {
    this.sources = [await resultsIn(this.file(ownName)), await resultsIn(this.file(recordName))];
  }

  /** Returns a result that holds, else the last one; undefined where there is none. */
  async of(part: Kept): Promise<Known | undefined> {
    const known: Known[] = [];
    for (const result of this.sources.flatMap((results) => results[part.name] ?? [])) {
      known.push({ ...result, changed: await this.changed(part, result.commit) });
    }
    return known.find(holds) ?? known.toSorted((one, other) => other.date.localeCompare(one.date))[0];
  }

  /** Keeps the result of a part that began at a commit. Returns false where what it depends on differs from that. */
  async keep(
    { name, scope }: Kept,
    commit: string,
    { passed, failed, skipped, seconds }: Omit<Result, 'commit' | 'date'>,
  ): Promise<boolean> {
    const changed = await changedSince(this.root, commit);
    if (!changed || changed.some((file) => isInput(file, scope))) return false;
    const date = new Date().toISOString().slice(0, 10);
    const result = { commit, date, passed, failed, skipped, seconds: Math.round(seconds) };
    // Another part can have run at the same time.
    const own = this.file(ownName);
    await write(own, { ...(await resultsIn(own)), [name]: result });
    await this.read();
    return true;
  }

  /** Writes the parts that passed into the file of the repository. Returns its path. */
  async record(parts: readonly Kept[]): Promise<string> {
    const results: Results = {};
    for (const part of parts) {
      const result = await this.of(part);
      if (result?.failed === 0) results[part.name] = resultSchema.parse(result);
    }
    await write(this.file(recordName), results);
    return recordName;
  }

  private file(name: string): string {
    return path.join(this.root, name);
  }

  private async changed({ scope }: Kept, commit: string): Promise<readonly string[] | undefined> {
    const since = this.changes.get(commit) ?? changedSince(this.root, commit);
    this.changes.set(commit, since);
    return (await since)?.filter((file) => isInput(file, scope));
  }
}

/** Whether a result is that of the present code. */
export function holds({ changed }: Known): boolean {
  return changed?.length === 0;
}

async function resultsIn(file: string): Promise<Results> {
  const text = await readFile(file, 'utf8').catch(() => '{}');
  return resultsSchema.parse(JSON.parse(text));
}

async function write(file: string, results: Results): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(results, null, 2)}\n`);
  await rename(`${file}.new`, file);
}
