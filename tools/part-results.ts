import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Scope } from './part-inputs.ts';

const resultSchema = z.object({
  /** The inputs that it holds for: see inputsOf(). */
  inputs: z.string(),
  date: z.iso.date(),
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  seconds: z.number(),
});
export type Result = z.infer<typeof resultSchema>;
const resultsSchema = z.record(z.string(), resultSchema);
type Results = z.infer<typeof resultsSchema>;

const root = path.resolve(import.meta.dirname, '..');
/** Of this checkout, and those that are part of the repository. */
const ownFile = path.join(root, 'var', 'test-all.json');
const recordFile = path.join(root, 'test', 'all-results.json');

/** A part whose result can be kept. */
export interface Kept {
  name: string;
  scope: Scope;
}

/** Results of parts, for the present content of their inputs. */
export class PartResults {
  private readonly inputs: Readonly<Record<Scope, string>>;
  private sources: readonly Results[] = [];

  constructor(inputs: Readonly<Record<Scope, string>>) {
    this.inputs = inputs;
  }

  async read(): Promise<void> {
    this.sources = [await resultsIn(ownFile), await resultsIn(recordFile)];
  }

  /** Returns the result of a part that holds, undefined where there is none. */
  of({ name, scope }: Kept): Result | undefined {
    const found = this.sources.flatMap((results) => results[name] ?? []);
    return found.find(({ inputs }) => inputs === this.inputs[scope]);
  }

  /** Another part can have run at the same time. */
  async keep(
    { name, scope }: Kept,
    { passed, failed, skipped, seconds }: Omit<Result, 'inputs' | 'date'>,
  ): Promise<void> {
    const date = new Date().toISOString().slice(0, 10);
    const inputs = this.inputs[scope];
    const result = { inputs, date, passed, failed, skipped, seconds: Math.round(seconds) };
    await write(ownFile, { ...(await resultsIn(ownFile)), [name]: result });
    await this.read();
  }

  /** Writes the results that hold into the file of the repository. Returns its path. */
  async record(parts: readonly Kept[]): Promise<string> {
    const held = parts.flatMap((part): [string, Result][] => {
      const result = this.of(part);
      return result && result.failed === 0 ? [[part.name, result]] : [];
    });
    await write(recordFile, Object.fromEntries(held));
    return path.relative(root, recordFile);
  }
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
