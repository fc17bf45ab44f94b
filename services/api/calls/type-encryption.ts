import { z } from 'zod';
import { updateType } from '../../../lib/client/types.ts';
import { errors } from '../../../lib/errors.ts';
import type { TypeEncryption } from '../../../lib/models/type-encryption.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { ownType } from '../own-type.ts';
import { encryptionDocument, encryptionView } from '../views/type.ts';

/** LUKS by its names, and by those of the classes that older clients send. */
const provider = z
  .string()
  .regex(
    /^(?:luks2?|[\w.]+\.luks\.Luks2?Encryptor|LuksEncryptor)$/,
    'must be luks or luks2: hosts encrypt by LUKS alone',
  );
const cipher = z.enum(['aes-xts-plain64', ''], 'must be aes-xts-plain64').nullish();
const keySize = z.coerce
  .number()
  .refine((bits) => bits === 256 || bits === 512, 'must be 256 or 512: volumes get keys of 512 bits')
  .nullish();
const controlLocation = z.literal('front-end', 'must be front-end: the attaching host encrypts').nullish();

const encryption = z.strictObject({ provider, cipher, key_size: keySize, control_location: controlLocation });
const oneAnswer = z.strictObject({ encryption: encryptionDocument });
const path = '/types/:type/encryption';

export const typeEncryptionCalls = [
  call({
    name: 'type:encryption:show',
    summary: 'Shows how the hosts encrypt the volumes of a type; an empty document where they need not',
    method: 'GET',
    path,
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.union([encryptionDocument, z.strictObject({})]),
    async handle(request) {
      const { id, encryption: own } = await ownType(request, request.param('type'));
      return own ? encryptionView(id, own) : {};
    },
  }),
  call({
    name: 'type:encryption:show',
    summary: 'Shows one part of it',
    method: 'GET',
    path: `${path}/:key`,
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.record(z.string(), z.unknown()),
    async handle(request) {
      const { id, encryption: own } = await ownType(request, request.param('type'));
      const key = request.param('key');
      const [found] = own ? Object.entries(encryptionView(id, own)).filter(([name]) => name === key) : [];
      if (!found) throw errors.notEncryptedType(id);
      return { [key]: found[1] };
    },
  }),
  call({
    name: 'type:encryption:change',
    summary: 'Has the hosts encrypt the volumes of a type that has none yet',
    method: 'POST',
    path,
    query: noQuery,
    body: z.strictObject({ encryption }),
    status: 200,
    answer: oneAnswer,
    async handle(request) {
      const { id, encryption: own } = await ownType(request, request.param('type'));
      const asked = fieldsOf(request.body.encryption);
      if (own && request.key !== undefined && isAsAsked(own, asked)) return { encryption: encryptionView(id, own) };
      if (own) throw errors.encryptedType(id);
      const type = await updateType(request.cluster.store, id, { encryption: asked });
      return { encryption: type.encryption && encryptionView(id, type.encryption) };
    },
  }),
  call({
    name: 'type:encryption:change',
    summary: 'Changes how the hosts encrypt the volumes of a type that has none yet',
    method: 'PUT',
    path: `${path}/:key`,
    query: noQuery,
    body: z.strictObject({ encryption: encryption.partial() }),
    status: 200,
    answer: oneAnswer,
    async handle(request) {
      const { id, encryption: own } = await ownType(request, request.param('type'));
      if (!own) throw errors.notEncryptedType(id);
      const before = { provider: own.provider, cipher: own.cipher, key_size: own.keySize };
      const given = Object.fromEntries(
        Object.entries(request.body.encryption).filter(([, value]) => value !== undefined),
      );
      const changed = encryption.parse({ ...before, ...given });
      const type = await updateType(request.cluster.store, id, { encryption: fieldsOf(changed) });
      return { encryption: type.encryption && encryptionView(id, type.encryption) };
    },
  }),
  call({
    name: 'type:encryption:change',
    summary: 'Ends the encryption of a type that no volume has',
    method: 'DELETE',
    path: `${path}/:key`,
    query: noQuery,
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id, encryption: own } = await ownType(request, request.param('type'));
      if (!own) throw errors.notEncryptedType(id);
      await updateType(request.cluster.store, id, { encryption: 'none' });
    },
  }),
];

function fieldsOf(given: z.output<typeof encryption>): Omit<TypeEncryption, 'createTime'> {
  return { provider: given.provider, cipher: given.cipher ?? '', keySize: given.key_size ?? undefined };
}

/** Whether a request was sent before. */
function isAsAsked(own: TypeEncryption, asked: Omit<TypeEncryption, 'createTime'>): boolean {
  return own.provider === asked.provider && own.cipher === asked.cipher && own.keySize === asked.keySize;
}
