import { z } from 'zod';
import { checksumAlgorithms } from './checksum.ts';

/** What an image service says of an image. */
export interface Image {
  /** UUID. */
  id: string;
  name: string;
  /** `active`: it is whole and can be used. */
  status: string;
  /** As the service has it: one of `imageFormats`, or another. */
  diskFormat: string;
  /** `bare`: the data are the disk itself. */
  containerFormat: string;
  /** Of its data; undefined until they are whole. */
  sizeBytes?: number;
  /** Of its data, in hexadecimal digits. */
  checksum?: { algorithm: (typeof checksumAlgorithms)[number]; digest: string };
  /** The smallest volume that it is for, in GiB. */
  minDisk: number;
  /** Where its data are, as URLs; an image service may keep that to itself. */
  locations: readonly string[];
}

/** Of the Images v2 API; a service may add fields. */
export const imageSchema = z
  .object({
    id: z.uuid(),
    name: z.string().nullish(),
    status: z.string(),
    disk_format: z.string().nullish(),
    container_format: z.string().nullish(),
    size: z.number().int().nonnegative().nullish(),
    checksum: z.string().nullish(),
    os_hash_algo: z.string().nullish(),
    os_hash_value: z.string().nullish(),
    min_disk: z.number().int().nonnegative().nullish(),
    locations: z.array(z.object({ url: z.string() })).nullish(),
    direct_url: z.string().nullish(),
  })
  .transform((fields): Image => {
    const { id, status, size } = fields;
    return {
      id,
      status,
      name: fields.name ?? '',
      diskFormat: fields.disk_format ?? '',
      containerFormat: fields.container_format ?? '',
      ...(size === null || size === undefined ? {} : { sizeBytes: size }),
      ...checksumOf(fields),
      minDisk: fields.min_disk ?? 0,
      locations: locationsOf(fields),
    };
  });

/** A service shows all of them, or one, or none. */
function locationsOf({
  locations,
  direct_url: direct,
}: {
  locations?: readonly { url: string }[] | null | undefined;
  direct_url?: string | null | undefined;
}): string[] {
  const urls = (locations ?? []).map(({ url }) => url);
  return [...new Set(direct ? [...urls, direct] : urls)];
}

function checksumOf({
  checksum,
  os_hash_algo: name,
  os_hash_value: digest,
}: {
  checksum?: string | null | undefined;
  os_hash_algo?: string | null | undefined;
  os_hash_value?: string | null | undefined;
}): Pick<Image, 'checksum'> {
  const algorithm = checksumAlgorithms.find((one) => one === name);
  if (algorithm && digest) return { checksum: { algorithm, digest } };
  return checksum ? { checksum: { algorithm: 'md5', digest: checksum } } : {};
}
