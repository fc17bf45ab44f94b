import { type BlockstoreError, errors } from '../errors.ts';
import { usersOf } from '../models/attachment.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import type { ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import type { RequestClient, RequestEnd } from './request-client.ts';
import { commandSpan } from './command-span.ts';
import { type Sent, startTask } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

export interface CopyOut {
  kind: 'upload' | 'backup';
  /** The field of the volume's record that has the id of what gets the data, and that id. */
  field: 'image' | 'backup';
  id: string;
  /** Why an attached volume is refused. */
  attached: (volume: string, instance: string) => BlockstoreError;
}

interface CopyingFrom {
  store: Store;
  client: RequestClient;
  topic: string;
}

const transitions = { upload: 'startUpload', backup: 'startBackup' } as const;

/**
 * Gives the data of a volume to something outside the cluster. The volume must be detached, and is as before afterwards, whatever becomes of
 * it. Throws VolumeNotFound, WrongStatus, VolumeAttached, NotCapable, NodeLost; a call also what kept the node from it. A call whose reply
 * was lost ends without an error: whether the data are there, their store knows.
 */
export function copyOut(to: CopyingFrom, volume: string, request: CopyOut, options: SendOptions): Promise<void> {
  const attributes = { 'blockstore.volume': volume };
  return commandSpan(to.store, request.kind, attributes, () => sendAndWait(to, volume, request, options));
}

async function sendAndWait(
  { store, client, topic }: CopyingFrom,
  volume: string,
  request: CopyOut,
  { deadlineMs, recording }: SendOptions,
): Promise<void> {
  const send = async (to?: ReplyTo) => {
    const sent = await sendTo(store, topic, volume, request, { to, signal: recording?.signal });
    recording?.onRecorded();
    return sent;
  };
  if (deadlineMs === undefined) {
    await send();
    return;
  }
  const end = await client.call({
    deadlineMs,
    send: async (to) => (await send(to)).end,
    poll: () => poll(store, volume, request),
  });
  if (!end) {
    throw errors.notFinished(volume, request.kind, deadlineMs, 'its node is working on it');
  }
  if ('fault' in end) throw end.fault;
}

async function sendTo(
  store: Store,
  topic: string,
  id: string,
  { kind, field, id: target, attached }: CopyOut,
  { to, signal }: { to: ReplyTo | undefined; signal: AbortSignal | undefined },
): Promise<Sent> {
  const volume = await volumesOf(store).lookup(id);
  if (volume.attachStatus !== 'detached') throw attached(id, await usersOf(store, volume));
  if (kind === 'upload' && volume.encryptionKey !== '') {
    throw errors.encryptedVolume(id, 'an image of it could be read by nobody');
  }
  await requireImages(store, volume);
  signal?.throwIfAborted();
  const set = { [field]: target };
  return startTask(store, { transition: transitions[kind], kind, set, whenLost: 'refuse', topic }, volume, to);
}

/** Its driver can give its data to images and backups, and take theirs. Throws NotCapable. */
export async function requireImages(store: Store, { id, node, backend }: VolumeState): Promise<void> {
  const { states } = await backendsOf(store).readAll([backendId(node, backend)]);
  const [found] = states;
  if (found && !found.capabilities.includes('images')) throw errors.notCapable(id, found.driver, 'images');
}

async function poll(store: Store, volume: string, { field, id }: CopyOut): Promise<RequestEnd | undefined> {
  const record = await store.read((redis) => redis.hgetall(store.keys.volume(volume)));
  if (Object.keys(record).length === 0) return {};
  return parseVolume(volume, record)[field] === id ? undefined : { record };
}
