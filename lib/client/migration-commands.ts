import { type BlockstoreError, errors } from '../errors.ts';
import { usersOf } from '../models/attachment.ts';
import { type BackendState, backendId, backendsOf, parsePlace, placeText } from '../models/backend.ts';
import { migrationsOf } from '../models/migration.ts';
import { type Requirements, unmetRequirement } from '../models/requirements.ts';
import { editOf, isAllowed, withoutEmpty } from '../models/volume-edit.ts';
import { typesOf } from '../models/type.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { type ChangeSet, type Condition, type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { movesAddress } from '../targets/registry.ts';
import { copiesOf } from './cascade.ts';
import { type Demands, demandsOf } from './demands.ts';
import { endIfExpired } from './end-transfer.ts';
import { newMigration } from './new-migration.ts';
import { place } from './placement.ts';
import { successors } from './take-over.ts';
import { type Sent, joinTask, maxChanges, refusal } from './start-task.ts';
import type { SendOptions, VolumeCommands } from './volume-commands.ts';
import { heldError } from './held.ts';

export interface MigrationRequest {
  /** The place that it is to have, see parsePlace(); default: a backend of another node. */
  to?: string;
  /** The id of the type that it is to have then; default: its own. */
  type?: string;
  /** With that type: whether several hosts can have it at once. */
  isMultiattach?: boolean;
}

/** Moves of volumes to other backends. */
export class MigrationCommands {
  private readonly store: Store;
  private readonly commands: VolumeCommands;
  private readonly topic: string;

  constructor(store: Store, commands: VolumeCommands, topic: string) {
    this.store = store;
    this.commands = commands;
    this.topic = topic;
  }

  /**
   * Moves a volume, with its id and its data; it is where it was until all of them are at the new place. One that is attached keeps its
   * address, and its hosts wait for a moment; that needs a target that can. Returns its record there. Throws VolumeNotFound, VolumeAttached, VolumeInGroup, VolumeHasSnapshots, VolumeIsCopied, WrongStatus, NotCapable, SamePlace, StorageShared, NodeDown, what
   * place() throws; a call also what kept the nodes from it.
   */
  migrate(id: string, request: MigrationRequest = {}, options: SendOptions = {}): Promise<VolumeState> {
    return this.commands.carryOut('migrate', id, options, (reply) => this.send(id, request, reply));
  }

  /**
   * Gives a volume another type, and whether several hosts can have it at once as that says. Where its backend does not meet the type, the
   * volume migrates to one that does, with `mayMigrate`. Throws TypeNotMet, TypeNotFound, EncryptionDiffers, VolumeAttached, VolumeEncrypted,
   * and what migrate() throws.
   */
  async retype(
    id: string,
    type: string,
    { mayMigrate, ...options }: SendOptions & { mayMigrate: boolean },
  ): Promise<VolumeState> {
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      const { name, requirements, encryption } = await typesOf(this.store).lookup(type);
      if (encryption && volume.encryptionKey === '') throw errors.encryptionDiffers(id, name);
      const backend = await this.backendOf(volume);
      const unmet = backend && unmetRequirement(requirements, backend);
      if (unmet !== undefined && !mayMigrate) throw errors.typeNotMet(id, name, unmet);
      if (unmet === undefined && volume.type === type) return volume;
      const isMultiattach = await this.multiattachWith(requirements, volume);
      if (unmet !== undefined) return this.migrate(id, { type, isMultiattach }, options);
      const { set, unset } = withoutEmpty({ type, multiattach: isMultiattach ? 'true' : '' });
      // No host has it where that changes.
      const expect = { attachments: volume.attachments.join(',') };
      const outcome = await commit(this.store, {
        edits: [editOf(volume, 'describe', { set, unset, expect }), { kind: 'type', id: type }],
        event: 'volume.retype',
        returns: true,
      });
      if (outcome.word === 'ok') return parseVolume(id, outcome.records[0] ?? {});
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /** A type that is multiattach makes its volumes so until they have another one. Throws VolumeAttached, VolumeEncrypted. */
  private async multiattachWith(requirements: Requirements, volume: VolumeState): Promise<boolean> {
    const { id, type, isMultiattach, attachStatus, attachments, encryptionKey } = volume;
    const former = type === '' ? undefined : await typesOf(this.store).find(type);
    const isOfFormer = former?.requirements.multiattach === 'yes';
    const isAfter = requirements.multiattach === 'yes' || (isMultiattach && !isOfFormer);
    if (isAfter === isMultiattach) return isAfter;
    if (attachStatus !== 'detached' || attachments.length > 0) {
      throw await heldError(this.store, volume);
    }
    if (isAfter && encryptionKey !== '') throw errors.encryptedVolume(id, 'several hosts would format it at once');
    return isAfter;
  }

  private async backendOf({ node, backend }: VolumeState): Promise<BackendState | undefined> {
    return (await backendsOf(this.store).readAll([backendId(node, backend)])).states[0];
  }

  private async send(id: string, request: MigrationRequest, reply?: ReplyTo): Promise<Sent> {
    for (let change = 0; change < maxChanges; change += 1) {
      const volume = await volumesOf(this.store).lookup(id);
      if (volume.task?.kind === 'migrate') return this.join(volume, request, reply);
      const { attachStatus } = volume;
      if (attachStatus !== 'detached' && !movesAddress((await this.backendOf(volume))?.target)) {
        throw errors.migratedAttached(id, await usersOf(this.store, volume));
      }
      if (!isAllowed('startMigrate', volume)) {
        if (await endIfExpired(this.store, volume)) continue;
        throw await refusal(this.store, volume, 'startMigrate');
      }
      if (volume.group !== '') throw errors.migratedInGroup(id, volume.group);
      const sent = await this.start(volume, request, reply);
      if (sent) return sent;
    }
    throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
  }

  /** The one that is under way: the same request is answered with its end. */
  private async join(volume: VolumeState, { to }: MigrationRequest, reply?: ReplyTo): Promise<Sent> {
    const { id, migration } = volume;
    const destination = migration === '' ? volume : await migrationsOf(this.store).find(migration);
    if (to !== undefined && destination && !isAt(destination, to)) {
      throw errors.migratesElsewhere(id, backendId(destination.node, destination.backend));
    }
    return joinTask(this.store, volume, 'migrate', reply);
  }

  /** Undefined where the record has changed meanwhile. */
  private async start(volume: VolumeState, request: MigrationRequest, reply?: ReplyTo): Promise<Sent | undefined> {
    const { to, type, isMultiattach = volume.isMultiattach } = request;
    const { id, size, node } = volume;
    const own = backendId(node, volume.backend);
    const source = await this.backendOf(volume);
    if (source && !source.capabilities.includes('migration')) throw errors.notCapable(id, source.driver, 'migration');
    if (to !== undefined && isAt(volume, to)) throw errors.isThereAlready(id, placeText(own, source?.pool ?? ''));
    const sourceIsUp: Condition = { is: 'up', node };
    const isIdle: Condition[] = [
      { is: 'empty', key: `volume:${id}:snapshots` },
      { is: 'empty', key: `volume:${id}:copies` },
    ];
    const demands = await demandsOf(this.store, { ...volume, type: type ?? volume.type, isMultiattach });
    // Another type may be met by another backend of the same node.
    const isElsewhere = to === undefined && type === undefined;
    const others = isElsewhere && source && source.shared !== '' ? await successors(this.store, source) : [];
    if (others.length > 0) throw errors.servedByOthers(id, node);
    const isAttached = volume.attachStatus !== 'detached';
    const { target = source?.target } = demands?.requirements ?? {};
    if (isAttached && target !== source?.target) throw errors.migratedAttached(id, await usersOf(this.store, volume));
    const suitable = isAttached ? withTarget(demands, volume, target) : demands;
    const asked = {
      size,
      needs: 'migration',
      tried: [own],
      leaves: source?.shared ?? '',
      demands: isElsewhere ? elsewhere(suitable, volume) : suitable,
      ...(to === undefined ? {} : { node: to }),
    } as const;
    const placed = await place(this.store, asked, (backend) => ({
      conditions: [sourceIsUp, ...isIdle],
      ...this.changeFor(volume, backend, { type, isMultiattach, reply }),
    }));
    if ('backend' in placed) return { volume: parseVolume(id, placed.outcome.records[0] ?? {}) };
    if (placed.word !== 'condition') return undefined;
    throw placed.condition === sourceIsUp ? errors.nodeDown(node) : await this.neededBy(id);
  }

  private changeFor(
    volume: VolumeState,
    backend: BackendState,
    {
      type,
      isMultiattach,
      reply,
    }: Pick<MigrationRequest, 'isMultiattach'> & { type: string | undefined; reply: ReplyTo | undefined },
  ): ChangeSet {
    const { by } = this.store;
    const asked = { ...(by === '' ? {} : { by }), ...(reply ? { requesters: reply } : {}) };
    const more = type === undefined ? {} : { type, multiattach: String(isMultiattach) };
    const migration = newMigration(volume, backend, { topic: this.topic, more });
    return {
      edits: [
        editOf(volume, 'startMigrate', { set: { migration: migration.id, ...asked }, expect: { group: '' } }),
        migration.edit,
        ...(type === undefined ? [] : [{ kind: 'type', id: type } as const]), // it is there still
      ],
      commands: migration.commands,
      returns: true,
    };
  }

  private async neededBy(id: string): Promise<BlockstoreError> {
    const key = this.store.keys.volumeSnapshots(id);
    const snapshots = await this.store.read((redis) => redis.zrange(key, '0', '4'));
    return snapshots.length > 0 ? errors.migratedWithSnapshots(id, snapshots) : copiesOf(this.store, id);
  }
}

function isAt({ node, backend }: Pick<VolumeState, 'node' | 'backend'>, text: string): boolean {
  const named = parsePlace(text);
  return named.node === node && (named.backend ?? backend) === backend;
}

const anywhere: Demands = { requirements: {}, zone: '', isEncrypted: false, apart: new Map() };

/** On another node than its own. */
function elsewhere(demands: Demands = anywhere, { id, node }: VolumeState): Demands {
  return { ...demands, apart: new Map([...demands.apart, [node, id]]) };
}

/** Where its hosts can go on with it. */
function withTarget(demands: Demands = anywhere, { id }: VolumeState, target = ''): Demands {
  return { ...demands, attached: { volume: id, target } };
}
