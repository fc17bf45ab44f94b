import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { errors } from './errors.ts';
import { absentAs, readIfExists, replaceFile, syncDirectory } from './files.ts';
import type { LoadedFlags } from './flags/load.ts';
import { isNodeName, nodeNameRule } from './models/node-name.ts';

/** The file `identity` of a state directory: which one this is, and whose. */
const schema = z.object({ state: z.string().regex(/^[0-9a-f]{32}$/), node: z.string().min(1) });
export type NodeIdentity = z.infer<typeof schema>;

/** Returns undefined for a new state directory. Throws StateDirDamaged. */
export async function readIdentity(directory: string): Promise<NodeIdentity | undefined> {
  const file = identityFile(directory);
  const found = await absentAs(undefined, stat(file));
  if (found?.isFile() === false) throw errors.stateDirDamaged(file); // the read of a pipe would wait for a writer
  const text = await readIfExists(file);
  if (text === undefined) return undefined;
  const { data } = schema.safeParse(parseJson(text));
  if (!data) throw errors.stateDirDamaged(file);
  return data;
}

export async function writeIdentity(directory: string, node: string): Promise<NodeIdentity> {
  const identity = { state: randomBytes(16).toString('hex'), node };
  await replaceFile(identityFile(directory), `${JSON.stringify(identity)}\n`, { flush: true });
  await syncDirectory(directory);
  return identity;
}

/**
 * Returns the name of the node of this host: storage_name, or else the name that its state directory has, which a changed host name
 * does not change. Throws StateDirDamaged; InvalidFlags for a host name that no node can have.
 */
export async function nodeNameHere({ flags, origins }: Pick<LoadedFlags, 'flags' | 'origins'>): Promise<string> {
  const { storage_name: given, state_dir: directory } = flags;
  if (origins.storage_name !== 'default') return given;
  const name = (await readIdentity(directory))?.node ?? given;
  if (isNodeName(name)) return name;
  throw errors.invalidFlags([`storage_name: the host name ${JSON.stringify(name)} ${nodeNameRule}; set another name`]);
}

function identityFile(directory: string): string {
  return join(directory, 'identity');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
