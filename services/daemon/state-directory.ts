import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { BlockstoreError, asError, errors } from '../../lib/errors.ts';
import { FileLock } from '../../lib/file-lock.ts';
import { makeDirectory } from '../../lib/files.ts';
import { type MachineId, readMachineId } from '../../lib/machine.ts';
import { formatHolder } from '../../lib/models/lease-holder.ts';
import { readIdentity, writeIdentity } from '../../lib/node-identity.ts';
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
      await makeDirectory(resolve(directory), 0o750);
      this.lock = await FileLock.take(join(directory, 'lock'), processes);
      if (this.lock === undefined) throw errors.stateDirTaken(directory);
      const identity = (await readIdentity(directory)) ?? (await writeIdentity(directory, node));
      if (identity.node !== node) throw errors.stateDirOfOtherNode(directory, identity.node, node);
      const lock = await this.lock.fileId();
      this.holderName = formatHolder({ host: hostname(), state: identity.state, ...machine, lock });
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
