import { randomUUID } from 'node:crypto';
import { BlockstoreError, errors } from '../errors.ts';
import { findVolume } from '../models/find-volume.ts';
import { checkText, checkVolumeName } from '../models/texts.ts';
import { Node } from '../models/node.ts';
import type { VolumeState } from '../models/volume-state.ts';
import { type Attachment, type NewVolume, Volume } from '../models/volume.ts';
import type { Store } from '../redis/store.ts';
import { type Caller, type Outcome, failed } from './caller.ts';
import type { Asker } from './command.ts';

/** How to send a command: with a deadline it is a call, which waits for the answer; without, a cast. */
export interface Sending {
  deadlineMs?: number;
}

type Operation = 'create' | 'delete' | 'attach' | 'detach';

/** What a volume's record says of an operation that is over. */
const ended: Record<Operation, (volume: VolumeState) => boolean> = {
  create: (volume) => volume.status !== 'creating',
  delete: (volume) => volume.status !== 'deleting',
  attach: (volume) => volume.attachStatus !== 'attaching',
  detach: (volume) => volume.attachStatus !== 'detaching',
};

/** What it says then where it ended well; otherwise, without a fault, Redis lost the operation. */
const isDone: Record<Operation, (volume: VolumeState) => boolean> = {
  create: () => true,
  delete: () => false,
  attach: (volume) => volume.attachStatus !== 'detached',
  detach: (volume) => volume.attachStatus !== 'attached',
};

/**
 * Commands on volumes, sent from anywhere to the node that owns them. Each returns the record: as the operation left it
 * (call) or as it stands when the command was recorded (cast). A call that its deadline overtakes throws NotFinished; the
 * operation goes on.
 */
export class VolumeCommands {
  private readonly store: Store;
  private readonly caller: Caller;
  private readonly topic: string;

  constructor(store: Store, caller: Caller, topic: string) {
    this.store = store;
    this.caller = caller;
    this.topic = topic;
  }

  /**
   * On any node with room, or on `node` alone. Throws InvalidSize, NoNodeUp, NodeNotFound, NodeDown; a call also
   * NoMoreVolumes and NoSpace, which leave nothing behind.
   */
  async create(wanted: NewVolume & { node?: string }, sending: Sending = {}): Promise<VolumeState> {
    const { node = '', ...fields } = wanted;
    if (fields.name !== undefined) checkVolumeName(fields.name);
    for (const field of ['userId', 'projectId'] as const) checkText(field, fields[field]);
    const volume = Volume.create(this.store, { ...fields, id: fields.id ?? randomUUID() });
    return this.carryOut('create', volume, sending, async (asker) => {
      try {
        await volume.dispatch({ topic: this.topic, node, ...(asker ? { asker } : {}) });
      } catch (error) {
        const askedBefore =
          fields.id !== undefined && error instanceof BlockstoreError && error.code === 'VolumeExists';
        if (!askedBefore) throw error;
      }
    });
  }

  /** Throws VolumeNotFound, VolumeAttached, WrongStatus; a call also what kept its node from removing it. */
  async delete(typed: string, sending: Sending = {}): Promise<void> {
    const volume = await findVolume(this.store, typed, { byBeginning: false });
    await this.carryOut('delete', volume, sending, (asker) => volume.startDelete(this.options(asker)));
  }

  /** Throws VolumeNotFound, VolumeAttached, WrongStatus, InvalidArgument. */
  async attach(typed: string, attachment: Attachment, sending: Sending = {}): Promise<VolumeState> {
    for (const field of ['instanceId', 'mountpoint'] as const) checkText(field, attachment[field]);
    if (attachment.hostName !== undefined) checkText('hostName', attachment.hostName);
    const volume = await findVolume(this.store, typed);
    return this.carryOut('attach', volume, sending, (asker) => volume.startAttach(attachment, this.options(asker)));
  }

  /** Throws VolumeNotFound, VolumeNotAttached, WrongStatus while it is being attached. */
  async detach(typed: string, sending: Sending = {}): Promise<VolumeState> {
    const volume = await findVolume(this.store, typed);
    return this.carryOut('detach', volume, sending, (asker) => volume.startDetach(this.options(asker)));
  }

  private options(asker: Asker | undefined) {
    return { command: { topic: this.topic, ...(asker ? { asker } : {}) } };
  }

  private async carryOut(
    operation: Operation,
    volume: Volume,
    sending: Sending,
    send: (asker?: Asker) => Promise<void>,
  ): Promise<VolumeState> {
    const { deadlineMs } = sending;
    if (deadlineMs === undefined) {
      await send();
      return volume.state;
    }
    const outcome = await this.caller.call({
      send,
      deadlineMs,
      look: () => this.look(operation, volume.identifier),
    });
    if (!outcome) throw await this.notFinished(operation, volume.identifier, deadlineMs);
    if ('fault' in outcome) throw outcome.fault;
    if (this.store.isReplicated) await this.confirm(operation, volume.identifier, deadlineMs);
    return outcome.record ? Volume.parse(volume.identifier, outcome.record) : volume.state;
  }

  /** An answer comes before replicas have the change: a primary that was lost since has taken it with it. Throws NotReplicated. */
  private async confirm(operation: Operation, id: string, deadlineMs: number): Promise<void> {
    const { count } = this.store.connection;
    const seen = await this.look(operation, id);
    await this.store.replicated(count);
    if (!seen) throw await this.notFinished(operation, id, deadlineMs);
    if ('fault' in seen) throw seen.fault;
  }

  private async look(operation: Operation, id: string): Promise<Outcome | undefined> {
    try {
      const { state } = await Volume.lookup(this.store, id);
      if (!ended[operation](state)) return undefined;
      // A volume in error can be detached, and stays in error.
      const isDetached = operation === 'detach' && state.attachStatus === 'detached';
      if (state.fault && !isDetached) return failed(state.fault);
      if (!isDone[operation](state)) {
        return { fault: errors.changeLost(id, operation, `${state.status}, ${state.attachStatus}`) };
      }
      return { record: await this.store.read((redis) => redis.hgetall(this.store.keys.volume(id))) };
    } catch (error) {
      if (!(error instanceof BlockstoreError) || error.code !== 'VolumeNotFound') throw error;
      return operation === 'delete' ? {} : { fault: error };
    }
  }

  private async notFinished(operation: Operation, id: string, deadlineMs: number): Promise<BlockstoreError> {
    const seconds = Math.round(deadlineMs / 1000);
    const { state } = await Volume.lookup(this.store, id);
    if (state.node === '') return errors.notFinished(id, operation, seconds, 'no node has taken it yet');
    const node = await Node.lookup(this.store, state.node);
    const what =
      node.state.state === 'up' ? `node ${state.node} is at it` : `its node ${state.node} is ${node.state.state}`;
    return errors.notFinished(id, operation, seconds, what);
  }
}
