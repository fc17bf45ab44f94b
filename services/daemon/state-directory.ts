import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { BlockstoreError, asError, errors } from '../../lib/errors.ts';
import { FileLock } from '../../lib/file-lock.ts';
import { errorCode, readIfExists, replaceFile, syncDirectory } from '../../lib/files.ts';
import { type MachineId, readMachineId } from '../../lib/machine.ts';
import { formatHolder } from '../../lib/models/lease-holder.ts';
import type { Processes } from '../../lib/process.ts';
import type { Service } from '../../lib/service.ts';

export interface StateDirectoryOptions {
  directory: string;
  /** The node's name (storage_name). */
  node: string;
  processes: Processes;
  /** Default: this machine. */
  machine?: MachineId;
}

/** The file `identity`: which state directory this is, and whose. */
const identitySchema = z.object({ state: z.string().regex(/^[0-9a-f]{32}$/), node: z.string().min(1) });
type Identity = z.infer<typeof identitySchema>;

/**
 * The directory in which a daemon keeps what must outlast it: one daemon at a time uses it, always for the same node. It gives
 * the daemon its identity as the holder of the node's name.
 */
export class StateDirectory implements Service {
  readonly name = 'state-directory';
  private readonly options: StateDirectoryOptions;
  private lock: FileLock | undefined;
  private holderName = '';

  constructor(options: StateDirectoryOptions) {
    this.options = options;
  }

  /** The holder of the node's name, after the start. */
  get holder(): string {
    return this.holderName;
  }

  /** Throws StateDirTaken, StateDirDamaged, StateDirOfOtherNode, StateDirUnusable. */
  async start(): Promise<void> {
    const { directory, node, processes, machine = await readMachineId() } = this.options;
    try {
      await makeDirectory(resolve(directory));
      this.lock = await FileLock.take(join(directory, 'lock'), processes);
      if (this.lock === undefined) throw errors.stateDirTaken(directory);
      const identity = (await readIdentity(directory)) ?? (await writeIdentity(directory, node));
      if (identity.node !== node) throw errors.stateDirOfOtherNode(directory, identity.node, node);
      this.holderName = formatHolder({ host: hostname(), state: identity.state, ...machine });
    } catch (error) {
      await this.stop();
      if (error instanceof BlockstoreError) throw error;
      throw errors.stateDirUnusable(directory, asError(error).message, error);
    }
  }

  async stop(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }
}

/** Returns the name of the node that the state directory belongs to; undefined for a new one. Throws StateDirDamaged. */
export async function nodeOf(directory: string): Promise<string | undefined> {
  return (await readIdentity(directory))?.node;
}

async function readIdentity(directory: string): Promise<Identity | undefined> {
  const file = identityFile(directory);
  const text = await readIfExists(file);
  if (text === undefined) return undefined;
  const { data } = identitySchema.safeParse(parseJson(text));
  if (!data) throw errors.stateDirDamaged(file);
  return data;
}

async function writeIdentity(directory: string, node: string): Promise<Identity> {
  const identity = { state: randomBytes(16).toString('hex'), node };
  await replaceFile(identityFile(directory), `${JSON.stringify(identity)}\n`, { flush: true });
  await syncDirectory(directory);
  return identity;
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

/** With its parents. Not by mkdir's `recursive`, which never returns where a parent takes no directories, such as /proc. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o750 });
  } catch (error) {
    const code = errorCode(error);
    if (code === 'EEXIST') return;
    if (code !== 'ENOENT' || dirname(directory) === directory) throw error;
    await makeDirectory(dirname(directory));
    await mkdir(directory, { mode: 0o750 });
  }
}
