import { errors } from '../errors.ts';
import { backendId, backendsOf } from '../models/backend.ts';
import { type VolumeState, parseVolume } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import type { ReplyTo } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import type { RequestClient, RequestEnd } from './request-client.ts';
import { type Sent, startTask } from './start-task.ts';
import type { SendOptions } from './volume-commands.ts';

/** Commands of volumes and images. What is under way is a task of the volume. */
export class ImageCommands {
  private readonly store: Store;
  private readonly client: RequestClient;
  private readonly topic: string;

  constructor(store: Store, client: RequestClient, topic: string) {
    this.store = store;
    this.client = client;
    this.topic = topic;
  }

  /**
   * Gives an image that has no data yet those of a volume, which must be detached and is as before afterwards, whatever becomes of it.
   * Throws VolumeNotFound, WrongStatus, VolumeAttached, NotCapable, NodeLost; a call also what kept the node from it. A call whose reply
   * was lost ends without an error: whether the image has data, its store knows.
   */
  async upload(id: string, image: string, { deadlineMs }: SendOptions = {}): Promise<void> {
    if (deadlineMs === undefined) {
      await this.send(id, image);
      return;
    }
    const end = await this.client.call({
      deadlineMs,
      send: async (to) => (await this.send(id, image, to)).end,
      poll: () => this.poll(id, image),
    });
    if (!end) throw errors.notFinished(id, 'upload', Math.round(deadlineMs / 1000), 'its node is working on it');
    if ('fault' in end) throw end.fault;
  }

  private async send(id: string, image: string, to?: ReplyTo): Promise<Sent> {
    const volume = await volumesOf(this.store).lookup(id);
    if (volume.attachStatus !== 'detached') throw errors.imageOfAttached(id, volume.instanceId || 'an instance');
    await this.requireCapable(volume);
    const request = { transition: 'startUpload', kind: 'upload', set: { image }, whenLost: 'refuse' } as const;
    return startTask(this.store, { ...request, topic: this.topic, by: this.client.by }, volume, to);
  }

  /** Throws NotCapable. */
  private async requireCapable({ id, node, backend }: VolumeState): Promise<void> {
    const { states } = await backendsOf(this.store).readAll([backendId(node, backend)]);
    const [found] = states;
    if (found && !found.capabilities.includes('images')) throw errors.notCapable(id, found.driver, 'images');
  }

  private async poll(id: string, image: string): Promise<RequestEnd | undefined> {
    const record = await this.store.read((redis) => redis.hgetall(this.store.keys.volume(id)));
    if (Object.keys(record).length === 0) return {};
    return parseVolume(id, record).image === image ? undefined : { record };
  }
}
