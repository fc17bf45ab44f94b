import { mkdir, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { absentAs, removeFile, replaceFile } from '../../files.ts';
import { isId } from '../../models/id.ts';
import type { ExportSpec } from '../target.ts';

const suffix = '.json';

const schema = z.object({
  id: z.string(),
  path: z.string(),
  address: z.string(),
  readOnly: z.boolean(),
  hosts: z.array(z.string()),
  chap: z.object({ user: z.string(), secret: z.string() }).optional(),
  targetName: z.string(),
  durability: z.string(),
});

/** An export as it was last made, with what tgtd does not show of it. */
export type KeptSpec = z.infer<typeof schema>;

export function keptSpec(spec: ExportSpec, targetName: string, durability: string): KeptSpec {
  const { id, path, address, readOnly, chap } = spec;
  const hosts = spec.hosts.toSorted();
  return { id, path, address, readOnly, hosts, ...(chap ? { chap } : {}), targetName, durability };
}

/** Whether two exports are the same to tgtd. The address follows from the portal, which all have in common. */
export function sameSpec(one: KeptSpec, other: KeptSpec): boolean {
  const { user, secret } = one.chap ?? {};
  return (
    one.path === other.path &&
    one.readOnly === other.readOnly &&
    one.targetName === other.targetName &&
    one.durability === other.durability &&
    one.hosts.join(' ') === other.hosts.join(' ') &&
    user === other.chap?.user &&
    secret === other.chap?.secret
  );
}

/**
 * The exports of this node, one file each that only root may read: they outlive daemon and tgtd, and have the secrets of attachments
 * that Redis has lost.
 */
export class SpecFiles {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
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
  async read(id: string): Promise<KeptSpec | undefined> {
    const text = await absentAs(undefined, readFile(this.file(id), 'utf8'));
    if (text === undefined) return undefined;
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      return undefined; // damaged: the export is made anew
    }
  }

  async readAll(): Promise<Map<string, KeptSpec>> {
    const specs = await Promise.all((await this.ids()).map((id) => this.read(id)));
    return new Map(specs.flatMap((spec) => (spec ? [[spec.id, spec]] : [])));
  }

  async write(spec: KeptSpec): Promise<void> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 }); // somebody may have removed it
    await replaceFile(this.file(spec.id), `${JSON.stringify(spec)}\n`, { mode: 0o600 });
  }

  async remove(id: string): Promise<void> {
    await removeFile(this.file(id));
  }

  private file(id: string): string {
    return join(this.directory, id + suffix);
  }
}
