import { randomUUID } from 'node:crypto';
import type { Backup } from '../../lib/backups/backup.ts';
import { BackupDirectory } from '../../lib/backups/directory.ts';
import { BackupCommands } from '../../lib/client/backup-commands.ts';
import { dismissFault } from '../../lib/client/dismiss-fault.ts';
import { GroupCommands } from '../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { createType, deleteType } from '../../lib/client/types.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import { attachmentsOfVolume } from '../../lib/models/attachment.ts';
import { memberId } from '../../lib/models/group-snapshot-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Answer } from './explain.ts';
import { type State, absent, stateText } from './state.ts';
import type { TypeCommand } from './type-model.ts';
import type { VolumeCommand } from './volume-model.ts';

const deadline = { deadlineMs: 20_000 };
/** An audit whose node dies is never answered. */
const auditMs = 2000;
const owner = { userId: 'u', projectId: 'p' };
/** After these nobody knows whether the command was carried out. */
const openEnded = new Set(['NotFinished', 'RedisUnreachable', 'Interrupted']);

/** The objects of a run, by the ids that all clients know. */
export class Objects {
  readonly group = randomUUID();
  readonly type = randomUUID();
  /** One that has its data: a job that copies to it has nothing to read. */
  readonly backup = randomUUID();
  private readonly snapshots = new Map<string, string>();

  /** Returns the id of a group snapshot. */
  snapshot(name: string): string {
    const id = this.snapshots.get(name) ?? randomUUID();
    this.snapshots.set(name, id);
    return id;
  }

  /** Returns the name of the group snapshot that a snapshot of a volume is one of. */
  nameOf(snapshot: string, volume: string): string {
    return [...this.snapshots].find(([, id]) => memberId(id, volume) === snapshot)?.[0] ?? 'own';
  }
}

/** Sends the requests of one client. */
export class Requests {
  readonly store: Store;
  private readonly objects: Objects;
  private readonly commands: VolumeCommands;
  private readonly groups: GroupCommands;
  private readonly groupSnapshots: GroupSnapshotCommands;
  private readonly backups: BackupCommands;
  private readonly nodes: NodeCommands;

  constructor(store: Store, objects: Objects) {
    this.store = store;
    this.objects = objects;
    const client = new RequestClient(store);
    this.commands = new VolumeCommands(store, client, 'volume');
    this.groups = new GroupCommands(store, this.commands);
    this.groupSnapshots = new GroupSnapshotCommands(store, client, 'volume');
    this.backups = new BackupCommands(store, client, 'volume');
    this.nodes = new NodeCommands(store, client, 'volume');
  }

  /** The group, and the backup. */
  async prepare(directory: string): Promise<void> {
    await this.groups.create({ ...owner, id: this.objects.group });
    await new BackupDirectory(directory).create(backupOf(this.objects.backup));
  }

  /** Of one volume, or of the group. `node`: where a create is pinned. */
  async ofVolume(id: string, command: VolumeCommand, node?: string): Promise<Answer> {
    if (command.name === 'show') return answered(async () => this.stateNow(id));
    return answered(() => this.send(id, command, node));
  }

  async ofType({ name }: TypeCommand): Promise<Answer> {
    const { type } = this.objects;
    return answered(async () => {
      if (name === 'make type') await createType(this.store, { id: type, name: 'type' });
      else await deleteType(this.store, type);
    });
  }

  private async send(id: string, command: VolumeCommand, node: string | undefined): Promise<void> {
    const { commands, groups, groupSnapshots, objects } = this;
    const { group, type } = objects;
    switch (command.name) {
      case 'create': {
        const more = { ...(command.isTyped ? { type } : {}), ...(node === undefined ? {} : { node }) };
        return void (await commands.create({ id, size: 1, ...owner, ...more }, deadline));
      }
      case 'delete':
        return commands.delete(id, deadline);
      case 'attach': {
        const attachment = { instanceId: command.instance, mountpoint: '/dev/vdb' };
        return void (await commands.attach(id, attachment, deadline));
      }
      case 'detach':
        return void (await commands.detach(id, deadline));
      case 'extend':
        return void (await commands.extend(id, 2, deadline));
      case 'dismiss':
        return dismissFault(this.store, id);
      case 'copy':
        return this.backups.copyAttached(id, { target: objects.backup, isDone: async () => true }, deadline);
      case 'join':
        return void (await groups.update(group, { add: [id] }));
      case 'leave':
        return void (await groups.update(group, { remove: [id] }));
      case 'take':
        return void (await groupSnapshots.create(
          group,
          { ...owner, id: objects.snapshot(command.snapshot) },
          deadline,
        ));
      case 'drop':
        return groupSnapshots.delete(objects.snapshot(command.snapshot), deadline);
      case 'show':
      case 'list':
        throw new Error(`${command.name} changes nothing`);
    }
  }

  /** It repairs, and changes nothing of what any client may see. */
  async audit(node: number): Promise<void> {
    try {
      await this.nodes.audit(`n${node}`, { repair: true, remove: [] }, { deadlineMs: auditMs });
    } catch (error) {
      if (!(error instanceof BlockstoreError)) throw error; // the node is down, or another client's audit is under way
    }
  }

  /** Read anew where the volume has changed in between. */
  async stateNow(id: string): Promise<State> {
    for (;;) {
      const volume = await volumesOf(this.store).find(id);
      if (!volume) return stateText(absent);
      const state = await this.stateOf(volume, await this.snapshotsOf(volume));
      const now = await volumesOf(this.store).find(id);
      if (state !== undefined && JSON.stringify(now) === JSON.stringify(volume)) return state;
    }
  }

  /** Undefined where its attachment has ended since. Whose an attachment is never changes. */
  async stateOf(volume: VolumeState, snapshots: readonly string[] = []): Promise<State | undefined> {
    const { id, status, attachStatus, attachments, size, type, group, task } = volume;
    const [use] = await attachmentsOfVolume(this.store, volume);
    if (attachments.length > 0 && !use) return undefined;
    const current = this.objects.nameOf(volume.snapshot, id);
    const isTaking = task?.kind === 'group-snapshot' || task?.kind === 'snapshot';
    const isDropping = task?.kind === 'delete-group-snapshot' || task?.kind === 'delete-snapshot';
    return stateText({
      word: status === 'in-use' && attachStatus !== 'detached' ? attachStatus : status,
      instance: use?.instanceId ?? '',
      isGrown: size > 1,
      isTyped: type !== '',
      isMember: group !== '',
      snapshots: isTaking ? snapshots.toSpliced(snapshots.indexOf(current), 1) : snapshots,
      work: isTaking ? `takes ${current}` : isDropping ? `drops ${current}` : '',
    });
  }

  private async snapshotsOf({ id }: VolumeState): Promise<string[]> {
    const ids = await this.store.read((redis) => redis.zrange(this.store.keys.volumeSnapshots(id), '0', '-1'));
    return ids.map((one) => this.objects.nameOf(one, id));
  }
}

function backupOf(id: string): Backup {
  const data = { status: 'available', checksum: '0'.repeat(64), storedBytes: 0, parent: null } as const;
  return { id, name: 'backup', volume: id, volumeName: 'volume', ...owner, size: 1, createTime: 1, ...data };
}

async function answered(work: () => Promise<State | void>): Promise<Answer> {
  try {
    const state = await work();
    return state === undefined ? { kind: 'ok' } : { kind: 'state', state };
  } catch (error) {
    if (!(error instanceof BlockstoreError)) throw error;
    return openEnded.has(error.code) ? { kind: 'unknown' } : { kind: 'error', code: error.code };
  }
}
