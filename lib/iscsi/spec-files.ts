import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { absentAs, removeFile, replaceFile } from '../files.ts';
import { isId } from '../models/id.ts';

const suffix = '.json';

/** An export as it was last made. */
export const keptExport = z.object({
  id: z.string(),
  path: z.string(),
  address: z.string(),
  readOnly: z.boolean(),
  hosts: z.array(z.string()),
  chap: z.object({ user: z.string(), secret: z.string() }).optional(),
});

export type KeptExport = z.infer<typeof keptExport>;

/**
 * Exports with what their server does not show of them, one file each that only root may read: they outlive daemon and server, and have
 * the secrets of attachments that Redis has lost.
 */
export class SpecFiles<Kept extends KeptExport> {
  private readonly directory: string;
  private readonly schema: z.ZodType<Kept>;

  constructor(directory: string, schema: z.ZodType<Kept>) {
    this.directory = directory;
    this.schema = schema;
  }

  async prepare(): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    // What a crash kept from getting its name.
    const halfMade = (await readdir(this.directory)).filter((name) => name.endsWith(`${suffix}.new`));
    for (const name of halfMade) await removeFile(join(this.directory, name));
  }

  async ids(): Promise<string[]> {
    const names = (await absentAs([], readdir(this.directory))).filter((name) => name.endsWith(suffix));
    return names.map((name) => name.slice(0, -suffix.length)).filter(isId);
  }

  /** Returns undefined where there is none that can be read. */
  async read(id: string): Promise<Kept | undefined> {
    const text = await absentAs(undefined, readFile(this.file(id), 'utf8'));
    if (text === undefined) return undefined;
    try {
      return this.schema.parse(JSON.parse(text));
    } catch {
      return undefined; // damaged: the export is made anew
    }
  }

  async readAll(): Promise<Map<string, Kept>> {
    const specs = await Promise.all((await this.ids()).map((id) => this.read(id)));
    return new Map(specs.flatMap((spec) => (spec ? [[spec.id, spec]] : [])));
  }

  async write(spec: Kept): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 }); // somebody may have removed it
    await replaceFile(this.file(spec.id), `${JSON.stringify(spec)}\n`, { mode: 0o600 });
  }

  async remove(id: string): Promise<void> {
    await removeFile(`${this.file(id)}.new`); // of a crash
    await removeFile(this.file(id));
  }

  private file(id: string): string {
    return join(this.directory, id + suffix);
  }
}
