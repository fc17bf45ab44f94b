import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { type Call, type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { metadataItem } from '../metadata-item.ts';
import { ownSnapshot, ownVolume } from '../owned.ts';
import type { CallName } from '../policy.ts';
import { metadata } from '../schemas.ts';

type Metadata = Readonly<Record<string, string>>;

/** What has metadata that its users change. */
interface Kind {
  noun: 'volume' | 'snapshot';
  root: '/volumes' | '/snapshots';
  lists: CallName;
  changes: CallName;
  own: (context: Context, id: string) => Promise<{ id: string; metadata: Metadata }>;
  /** Returns its metadata then. */
  update: (
    context: Context,
    id: string,
    changes: { metadata?: Metadata; unsetMetadata?: readonly string[] },
  ) => Promise<{ metadata: Metadata }>;
}

const kinds: readonly Kind[] = [
  {
    noun: 'volume',
    root: '/volumes',
    lists: 'volume:metadata:list',
    changes: 'volume:metadata:change',
    own: ownVolume,
    update: ({ cluster }, id, changes) => cluster.commands.update(id, changes),
  },
  {
    noun: 'snapshot',
    root: '/snapshots',
    lists: 'snapshot:metadata:list',
    changes: 'snapshot:metadata:change',
    own: ownSnapshot,
    update: ({ cluster }, id, changes) => cluster.snapshots.update(id, changes),
  },
];

const metadataBody = z.strictObject({ metadata });
const metadataAnswer = z.object({ metadata });
const itemBody = z.strictObject({ meta: metadata });
const itemAnswer = z.object({ meta: metadata });
const common = { query: noQuery, status: 200 } as const;

export const metadataCalls: readonly Call[] = kinds.flatMap(callsOf);

function callsOf({ noun, root, lists, changes, own, update }: Kind): Call[] {
  const all = `${root}/:id/metadata` as const;
  const item = `${root}/:id/metadata/:key` as const;
  return [
    call({
      ...common,
      name: lists,
      summary: `Lists the metadata of a ${noun}`,
      method: 'GET',
      path: all,
      body: noBody,
      answer: metadataAnswer,
      handle: async (request) => ({ metadata: (await own(request, request.param('id'))).metadata }),
    }),
    call({
      ...common,
      name: lists,
      summary: `Shows one item of the metadata of a ${noun}`,
      method: 'GET',
      path: item,
      body: noBody,
      answer: itemAnswer,
      async handle(request) {
        const found = await own(request, request.param('id'));
        const key = request.param('key');
        const value = metadataItem(found.metadata, key);
        if (value === undefined) throw errors.metadataNotFound(`${noun} ${found.id}`, key);
        return { meta: { [key]: value } };
      },
    }),
    call({
      ...common,
      name: changes,
      summary: `Sets items of the metadata of a ${noun}; the others stay`,
      method: 'POST',
      path: all,
      body: metadataBody,
      answer: metadataAnswer,
      async handle(request) {
        const { id } = await own(request, request.param('id'));
        const changed = await update(request, id, { metadata: request.body.metadata });
        return { metadata: changed.metadata };
      },
    }),
    call({
      ...common,
      name: changes,
      summary: `Replaces the metadata of a ${noun}`,
      method: 'PUT',
      path: all,
      body: metadataBody,
      answer: metadataAnswer,
      async handle(request) {
        const found = await own(request, request.param('id'));
        const unsetMetadata = Object.keys(found.metadata);
        const changed = await update(request, found.id, { metadata: request.body.metadata, unsetMetadata });
        return { metadata: changed.metadata };
      },
    }),
    call({
      ...common,
      name: changes,
      summary: `Sets one item of the metadata of a ${noun}`,
      method: 'PUT',
      path: item,
      body: itemBody,
      answer: itemAnswer,
      async handle(request) {
        const { id } = await own(request, request.param('id'));
        const key = request.param('key');
        const value = metadataItem(request.body.meta, key);
        if (value === undefined) throw errors.invalidRequest([`meta: must have the key ${key}`]);
        await update(request, id, { metadata: { [key]: value } });
        return { meta: { [key]: value } };
      },
    }),
    call({
      ...common,
      name: changes,
      summary: `Removes one item of the metadata of a ${noun}`,
      method: 'DELETE',
      path: item,
      body: noBody,
      answer: noAnswer,
      async handle(request) {
        const found = await own(request, request.param('id'));
        const key = request.param('key');
        if (metadataItem(found.metadata, key) === undefined) throw errors.metadataNotFound(`${noun} ${found.id}`, key);
        await update(request, found.id, { unsetMetadata: [key] });
      },
    }),
  ];
}
