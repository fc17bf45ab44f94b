import { randomUUID } from 'node:crypto';
import { type BlockstoreError, type Fault, errors } from '../errors.ts';
import type { Asker, MessagePlace } from '../client/command.ts';
import type { ScriptAnswer, Store } from '../redis/store.ts';
import { BasicModel, type Hash, type ModelKind, Records, hashSchema } from './basic-model.ts';
import { type Transition, type TransitionName, transitions } from './transitions.ts';
import { type VolumeState, isVolumeStatus, parseVolume } from './volume-state.ts';

/** What a new volume is made of. */
export interface NewVolume {
  /** Given by a caller that may ask twice; else random. */
  id?: string;
  name?: string;
  size: number;
  userId: string;
  projectId: string;
  deleteOnTermination?: boolean;
}

export interface Attachment {
  instanceId: string;
  mountpoint: string;
  hostName?: string;
  /** The machine id of the attaching host, where that host connected the volume itself. */
  hostId?: string;
  /** The UUID of the libvirt domain. */
  domain?: string;
  mode?: 'rw' | 'ro';
  /** Ethernet addresses of the attaching host. */
  macs?: readonly string[];
}

/** The node that a change is made for: a daemon that lost its name is refused. */
export interface Owner {
  node: string;
  fence: string;
}

/** What goes with a transition in the same write. */
export interface ChangeOptions {
  owner?: Owner;
  set?: Record<string, string>;
  /** The asker goes into the command, so that its node can answer. */
  command?: { topic: string; asker?: Asker };
  message?: MessagePlace | undefined;
  answer?: Asker | undefined;
  fault?: Fault;
}

export const volumeKind: ModelKind<VolumeState> = {
  name: 'volume',
  recordKey: (store, id) => store.keys.volume(id),
  indexKey: (store) => store.keys.volumes(),
  associationKey: (store, type, id) => (type === 'node' ? store.keys.nodeVolumes(id) : store.keys.projectVolumes(id)),
  parse: parseVolume,
  notFound: errors.volumeNotFound,
};

export class Volume extends BasicModel<VolumeState> {
  /** A volume that is not saved yet, with the defaults of the 2010 model. Throws InvalidSize. */
  static create(store: Store, wanted: NewVolume): Volume {
    checkSize(wanted.size);
    return new Volume(store, { ...Volume.defaultState(), ...wanted, id: wanted.id ?? randomUUID() }, true);
  }

  static defaultState(): VolumeState {
    return parseVolume('', { size: '0', status: 'creating', attachStatus: 'detached', createTime: '0' });
  }

  static records(store: Store): Records<VolumeState> {
    return new Records(store, volumeKind);
  }

  /** Throws VolumeNotFound. */
  static async lookup(store: Store, id: string): Promise<Volume> {
    return new Volume(store, await Volume.records(store).lookup(id), false);
  }

  /** A record that a script or a page gave. */
  static of(store: Store, state: VolumeState): Volume {
    return new Volume(store, state, false);
  }

  static parse(id: string, hash: Hash): VolumeState {
    return parseVolume(id, hash);
  }

  /** The record that a script answered with. Throws Internal where there is none. */
  static inAnswer(id: string, [, record = '{}']: ScriptAnswer): VolumeState {
    return parseVolume(id, hashSchema.parse(JSON.parse(record)));
  }

  /** The record alone, in status creating; `dispatch` makes it with its command. Throws VolumeExists. */
  override save(): Promise<void> {
    return this.write({ node: '' });
  }

  /**
   * Makes the record and the command to create it, in one write. With `node`, that node alone may take it. A second call with
   * the same id finds the first one's record. Throws NoNodeUp, NodeNotFound, NodeDown, RedisUnreachable.
   */
  async dispatch(options: { topic: string; node?: string; asker?: Asker }): Promise<void> {
    const { topic, node = '', asker } = options;
    const command = { operation: 'create', id: this.identifier, ...asker, ...(node === '' ? {} : { pinned: true }) };
    const target = node === '' ? topic : `${topic}.${node}`;
    await this.write({ node, topic: target, message: JSON.stringify(command) });
  }

  override async destroy(): Promise<void> {
    const answer = await this.runChange({ remove: true });
    if (answer[0] !== 'ok' && answer[0] !== 'VolumeNotFound') throw this.refusal('finishDelete', answer);
  }

  /** available -> in-use, attaching. Throws VolumeAttached, WrongStatus, VolumeNotFound. */
  startAttach(attachment: Attachment, options: ChangeOptions = {}): Promise<void> {
    const { instanceId, mountpoint, hostName = '', hostId = '', domain = '', mode = 'rw', macs = [] } = attachment;
    checkMountpoint(mountpoint);
    const set = {
      instanceId,
      mountpoint,
      ...(hostName === '' ? {} : { hostName }),
      ...(hostId === '' ? {} : { hostId }),
      ...(domain === '' ? {} : { domain }),
      ...(mode === 'ro' ? { attachMode: mode } : {}),
      ...(macs.length === 0 ? {} : { attachMacs: macs.join(',') }),
    };
    return this.change('startAttach', { ...options, set });
  }

  /** attaching -> attached. */
  finishAttach(options: ChangeOptions = {}): Promise<void> {
    return this.change('finishAttach', options);
  }

  /** attached -> detaching. Throws VolumeNotAttached, WrongStatus (attaching), VolumeNotFound. */
  startDetach(options: ChangeOptions = {}): Promise<void> {
    return this.change('startDetach', options);
  }

  /** detaching -> available, detached; instance and mount point are cleared. */
  finishDetach(options: ChangeOptions = {}): Promise<void> {
    return this.change('finishDetach', options);
  }

  /** -> deleting. Throws VolumeAttached, WrongStatus, VolumeNotFound. */
  startDelete(options: ChangeOptions = {}): Promise<void> {
    return this.change('startDelete', options);
  }

  /**
   * One transition with all that goes with it, as one write. Throws VolumeNotFound, VolumeAttached, VolumeNotAttached,
   * WrongStatus; for an owner also NotLocal and Fenced.
   */
  async change(name: TransitionName, options: ChangeOptions = {}): Promise<void> {
    const { operation, set, whenLost, ...transition }: Transition = transitions[name];
    const { owner, command, message, answer, fault } = options;
    const reply = await this.runChange({
      ...transition,
      ...(whenLost ? { whenLost: { ...whenLost, answer: command?.asker } } : {}),
      ...owner,
      set: { ...set, ...options.set, ...(fault ? { fault: JSON.stringify(fault) } : {}) },
      ...(command && operation
        ? {
            command: {
              topic: command.topic,
              message: JSON.stringify({ operation, id: this.identifier, ...command.asker }),
            },
          }
        : {}),
      ...(message ? { message } : {}),
      ...(answer ? { answer } : {}),
      ...(fault ? { fault } : {}),
    });
    if (reply[0] !== 'ok') throw this.refusal(name, reply);
    this.take(reply);
  }

  private async write(request: { node: string; topic?: string; message?: string }): Promise<void> {
    const { name, size, userId, projectId, deleteOnTermination } = this.current;
    const fields = {
      ...(name === '' ? {} : { name }),
      size: String(size),
      userId,
      projectId,
      ...(deleteOnTermination ? { deleteOnTermination: 'true' } : {}),
    };
    const answer = await this.store.run('create', this.identifier, JSON.stringify({ fields, ...request }));
    switch (answer[0]) {
      case 'ok':
        return this.take(answer);
      case 'VolumeExists':
        throw errors.volumeExists(this.identifier);
      case 'NodeNotFound':
        throw errors.noNode(request.node);
      case 'NodeDown':
        throw errors.nodeDown(request.node);
      default:
        throw errors.noNodeUp();
    }
  }

  private runChange(change: object): Promise<ScriptAnswer> {
    return this.store.run('change', this.identifier, JSON.stringify(change));
  }

  private take(answer: ScriptAnswer): void {
    const [, record] = answer; // none where it was removed
    if (record !== undefined) this.saved(Volume.inAnswer(this.identifier, answer));
  }

  private refusal(name: TransitionName, answer: ScriptAnswer): BlockstoreError {
    const [word, first = '', attachStatus = '', instance = ''] = answer;
    const id = this.identifier;
    if (word === 'VolumeNotFound') return errors.volumeNotFound(id);
    if (word === 'NotLocal') return errors.notLocal(id, first, this.current.node);
    if (word === 'Fenced') return errors.fenced(this.current.node);
    if (name === 'startDetach' && attachStatus === 'detached') return errors.volumeNotAttached(id);
    if (name === 'startDetach') return errors.wrongStatus(id, attachStatus, 'attached');
    if (attachStatus !== 'detached' && (name === 'startAttach' || name === 'startDelete')) {
      return errors.volumeAttached(id, instance || 'an instance');
    }
    const { from }: Transition = transitions[name];
    const wanted = [...(from.status ?? []), ...(from.attachStatus ?? [])].join(' or ');
    return errors.wrongStatus(id, isVolumeStatus(first) ? first : `in status ${first}`, wanted);
  }
}

/** Throws InvalidSize unless it is a whole number of GiB from 0 to 1000, as the 2010 BlockStore wants it. */
export function checkSize(size: unknown): asserts size is number {
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 1000) throw errors.invalidSize(size);
}

function checkMountpoint(mountpoint: string): void {
  if (!/^\/dev\/[A-Za-z0-9][A-Za-z0-9_/.-]*$/.test(mountpoint) || mountpoint.includes('..')) {
    throw errors.invalidArgument('mount point', mountpoint, 'a device path such as /dev/vdb');
  }
}
