import { z } from 'zod';
import type { TypeEncryption } from '../../../lib/models/type-encryption.ts';
import type { TypeState } from '../../../lib/models/type-state.ts';
import { hasRole } from '../caller.ts';
import type { Context } from '../call.ts';
import { specsOf } from '../extra-specs.ts';
import { time } from '../schemas.ts';
import { apiTime } from './time.ts';

const forAdministrators = 'Shown to administrators alone';

export const typeDocument = z
  .strictObject({
    id: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    is_public: z.boolean(),
    'os-volume-type-access:is_public': z.boolean(),
    extra_specs: z.record(z.string(), z.string()).describe('To others than administrators those that concern them'),
    qos_specs_id: z.string().nullable().optional().describe(forAdministrators),
  })
  .meta({ id: 'VolumeType', description: 'A type of volumes' });

/** The document of one type. */
export function typeView(type: TypeState, { caller }: Pick<Context, 'caller'>): z.input<typeof typeDocument> {
  const isAdmin = hasRole(caller, 'admin');
  const { id, name, description, isPublic, qosSpec } = type;
  return {
    id,
    name,
    description: description || null,
    is_public: isPublic,
    'os-volume-type-access:is_public': isPublic,
    extra_specs: specsOf(type, isAdmin),
    ...(isAdmin ? { qos_specs_id: qosSpec || null } : {}),
  };
}

export const encryptionDocument = z
  .strictObject({
    volume_type_id: z.string(),
    encryption_id: z.string(),
    provider: z.string(),
    cipher: z.string().nullable(),
    key_size: z.int().nullable(),
    control_location: z.literal('front-end'),
    created_at: time,
    updated_at: z.null(),
    deleted: z.literal(false),
    deleted_at: z.null(),
  })
  .meta({ id: 'VolumeTypeEncryption', description: 'How the hosts encrypt the volumes of a type' });

/** How the hosts encrypt the volumes of a type. A type has one encryption: its id is that of the type. */
export function encryptionView(
  type: string,
  { provider, cipher, keySize, createTime }: TypeEncryption,
): z.input<typeof encryptionDocument> {
  return {
    volume_type_id: type,
    encryption_id: type,
    provider,
    cipher: cipher || null,
    key_size: keySize ?? null,
    control_location: 'front-end',
    created_at: apiTime(createTime),
    updated_at: null,
    deleted: false,
    deleted_at: null,
  };
}
