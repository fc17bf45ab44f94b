import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { metadataItem } from '../metadata-item.ts';
import { ownVolume } from '../owned.ts';
import { metadata } from '../schemas.ts';

const metadataBody = z.strictObject({ metadata });
const metadataAnswer = z.object({ metadata });
const itemBody = z.strictObject({ meta: metadata });
const itemAnswer = z.object({ meta: metadata });
const common = { query: noQuery, status: 200 } as const;

export const volumeMetadataCalls = [
  call({
    ...common,
    name: 'volume:metadata:list',
    summary: 'Lists the metadata of a volume',
    method: 'GET',
    path: '/volumes/:id/metadata',
    body: noBody,
    answer: metadataAnswer,
    handle: async (request) => ({ metadata: (await ownVolume(request, request.param('id'))).metadata }),
  }),
  call({
    ...common,
    name: 'volume:metadata:list',
    summary: 'Shows one item of the metadata of a volume',
    method: 'GET',
    path: '/volumes/:id/metadata/:key',
    body: noBody,
    answer: itemAnswer,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const key = request.param('key');
      const value = metadataItem(volume.metadata, key);
      if (value === undefined) throw errors.metadataNotFound(`volume ${volume.id}`, key);
      return { meta: { [key]: value } };
    },
  }),
  call({
    ...common,
    name: 'volume:metadata:change',
    summary: 'Sets items of the metadata of a volume; the others stay',
    method: 'POST',
    path: '/volumes/:id/metadata',
    body: metadataBody,
    answer: metadataAnswer,
    async handle(request) {
      const { id } = await ownVolume(request, request.param('id'));
      const changed = await request.cluster.commands.update(id, { metadata: request.body.metadata });
      return { metadata: changed.metadata };
    },
  }),
  call({
    ...common,
    name: 'volume:metadata:change',
    summary: 'Replaces the metadata of a volume',
    method: 'PUT',
    path: '/volumes/:id/metadata',
    body: metadataBody,
    answer: metadataAnswer,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const unsetMetadata = Object.keys(volume.metadata);
      const changed = await request.cluster.commands.update(volume.id, {
        metadata: request.body.metadata,
        unsetMetadata,
      });
      return { metadata: changed.metadata };
    },
  }),
  call({
    ...common,
    name: 'volume:metadata:change',
    summary: 'Sets one item of the metadata of a volume',
    method: 'PUT',
    path: '/volumes/:id/metadata/:key',
    body: itemBody,
    answer: itemAnswer,
    async handle(request) {
      const { id } = await ownVolume(request, request.param('id'));
      const key = request.param('key');
      const value = metadataItem(request.body.meta, key);
      if (value === undefined) throw errors.invalidRequest([`meta: must have the key ${key}`]);
      await request.cluster.commands.update(id, { metadata: { [key]: value } });
      return { meta: { [key]: value } };
    },
  }),
  call({
    ...common,
    name: 'volume:metadata:change',
    summary: 'Removes one item of the metadata of a volume',
    method: 'DELETE',
    path: '/volumes/:id/metadata/:key',
    body: noBody,
    answer: noAnswer,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const key = request.param('key');
      if (metadataItem(volume.metadata, key) === undefined) throw errors.metadataNotFound(`volume ${volume.id}`, key);
      await request.cluster.commands.update(volume.id, { unsetMetadata: [key] });
    },
  }),
];
