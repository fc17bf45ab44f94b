import { z } from 'zod';
import type { Fault } from '../../../lib/errors.ts';
import { errors } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { listPage, listQuery, pageAnswer, pageDocument } from '../listing.ts';
import { ownVolume } from '../owned.ts';
import { time } from '../schemas.ts';
import { faultText } from '../views/fault.ts';
import { apiTime } from '../views/time.ts';

/** The fault of a volume is a message, which has the id of the volume and goes with the fault. */
const since = 3;
const message = z
  .strictObject({
    id: z.string(),
    event_id: z.string(),
    user_message: z.string(),
    message_level: z.literal('ERROR'),
    resource_type: z.literal('VOLUME'),
    resource_uuid: z.string(),
    request_id: z.null(),
    created_at: time,
    guaranteed_until: time,
    links: z.array(z.strictObject({ rel: z.literal('self'), href: z.string() })),
  })
  .meta({ id: 'Message', description: 'Why an operation of a volume has failed' });
const text = z.string().max(255).optional();
const maxAgeMs = 30 * 86_400_000;

export const messageCalls = [
  call({
    name: 'message:list',
    summary: 'Lists messages: why operations of volumes have failed',
    method: 'GET',
    path: '/messages',
    since,
    query: z.strictObject({
      ...listQuery,
      event_id: text,
      message_level: text,
      resource_type: text,
      resource_uuid: text,
      request_id: text,
    }),
    body: noBody,
    status: 200,
    answer: pageAnswer('messages', message),
    async handle(request) {
      const { query, cluster, caller } = request;
      const { store } = cluster;
      const filters = Object.entries({
        event_id: query.event_id,
        message_level: query.message_level,
        resource_type: query.resource_type,
        resource_uuid: query.resource_uuid,
        request_id: query.request_id,
      }).filter(([, value]) => value !== undefined);
      const page = await listPage(request, {
        records: volumesOf(store),
        index: store.keys.projectFaults(caller.projectId),
        query,
        matches:
          filters.length === 0
            ? undefined
            : (volume) => {
                const view = new Map<string, unknown>(Object.entries(messageView(volume, request) ?? {}));
                return filters.every(([key, value]) => view.get(key) === value);
              },
      });
      const messages = page.states.flatMap((volume) => messageView(volume, request) ?? []);
      return pageDocument('messages', messages, page);
    },
  }),
  call({
    name: 'message:list',
    summary: 'Shows a message',
    method: 'GET',
    path: '/messages/:id',
    since,
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.object({ message }),
    async handle(request) {
      const id = request.param('id');
      const volume = await ownVolume(request, id).catch(() => undefined);
      const view = volume && messageView(volume, request);
      if (!view) throw noMessage(id);
      return { message: view };
    },
  }),
  call({
    name: 'message:delete',
    summary: 'Refused: a message goes with the fault of its volume',
    method: 'DELETE',
    path: '/messages/:id',
    since,
    query: noQuery,
    body: noBody,
    status: 204,
    answer: noAnswer,
    async handle(request) {
      const id = request.param('id');
      const volume = await ownVolume(request, id).catch(() => undefined);
      if (!volume?.fault) throw noMessage(id);
      throw errors.notOffered(
        `the message is the fault of volume ${id}`,
        'it goes when the volume is used again, or deleted',
      );
    },
  }),
];

function noMessage(id: string): Error {
  return errors.notFoundHere('message', id.slice(0, 100), 'list the messages: GET /v3/messages');
}

/** Undefined where the volume has no fault any more. */
function messageView(
  volume: VolumeState,
  context: Pick<Context, 'base' | 'caller'>,
): z.input<typeof message> | undefined {
  const { id, fault, createTime } = volume;
  if (!fault) return undefined;
  const failedAt = fault.time ?? createTime;
  return {
    id,
    event_id: eventOf(fault),
    user_message: faultText(fault, context.caller),
    message_level: 'ERROR',
    resource_type: 'VOLUME',
    resource_uuid: id,
    request_id: null,
    created_at: apiTime(failedAt),
    guaranteed_until: apiTime(failedAt + maxAgeMs),
    links: [{ rel: 'self', href: `${context.base}/messages/${id}` }],
  };
}

function eventOf({ code }: Fault): string {
  return `VOLUME_${code}`;
}
