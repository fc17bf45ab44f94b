import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { imageFormats } from '../../../lib/images/formats/names.ts';
import { typesOf } from '../../../lib/models/type.ts';
import { call, noAnswer, noBody } from '../call.ts';
import { imageMetadataOf } from '../image-metadata.ts';
import { metadataItem } from '../metadata-item.ts';
import { ownVolume } from '../owned.ts';
import { metadata, since, yesOrNo } from '../schemas.ts';
import { uploadImage } from '../upload-image.ts';
import { volumeAction } from '../volume-action.ts';

const action = { ...volumeAction, status: 200 } as const;
const metadataAnswer = z.object({ metadata });
/** Requests can ask for visibility and protection from this version on. */
const hasVisibility = 1;

const uploadBody = z.strictObject({
  image_name: z.string().min(1).max(255),
  force: yesOrNo.nullish().describe('Also of an attached volume, as it is at one moment'),
  disk_format: z.enum(imageFormats, `must be one of ${imageFormats.join(', ')}`).nullish(),
  container_format: z.string().max(255).nullish(),
  visibility: z.string().max(255).nullish(),
  protected: yesOrNo.nullish(),
});
const uploadAnswer = z.strictObject({
  'os-volume_upload_image': z.strictObject({
    id: z.string().describe('That of the volume'),
    updated_at: z.null(),
    status: z.literal('uploading'),
    display_description: z.string().nullable(),
    size: z.int().min(0),
    volume_type: z.strictObject({ id: z.string(), name: z.string() }).nullable(),
    image_id: z.string(),
    container_format: z.literal('bare'),
    disk_format: z.string(),
    image_name: z.string(),
    visibility: since(hasVisibility, z.literal('private')),
    protected: since(hasVisibility, z.literal(false)),
  }),
});

/** Images of volumes, and what is noted of the image of a volume. */
export const volumeImageActionCalls = [
  call({
    ...action,
    name: 'volume:upload-image',
    summary: 'Makes an image of a volume, with force also of an attached one',
    action: 'os-volume_upload_image',
    status: 202,
    body: uploadBody,
    answer: uploadAnswer,
    async handle(request) {
      const { cluster, version, body } = request;
      refuseUnserved(body);
      const volume = await ownVolume(request, request.param('id'));
      const image = await uploadImage(request, volume, {
        name: body.image_name,
        diskFormat: body.disk_format ?? 'raw',
        isForced: body.force ?? false,
      });
      const type = volume.type === '' ? undefined : await typesOf(cluster.store).find(volume.type);
      return {
        'os-volume_upload_image': {
          id: volume.id,
          updated_at: null,
          status: 'uploading',
          display_description: volume.description || null,
          size: volume.size,
          volume_type: type ? { id: type.id, name: type.name } : null,
          image_id: image.id,
          container_format: 'bare',
          disk_format: image.diskFormat,
          image_name: image.name,
          ...(version >= hasVisibility ? { visibility: 'private', protected: false } : {}),
        },
      };
    },
  }),
  call({
    ...action,
    name: 'volume:image-metadata:list',
    summary: 'Lists what is noted of the image of a volume',
    action: 'os-show_image_metadata',
    body: noBody,
    answer: metadataAnswer,
    handle: async (request) => ({ metadata: imageMetadataOf(await ownVolume(request, request.param('id'))) }),
  }),
  call({
    ...action,
    name: 'volume:image-metadata:change',
    summary: 'Notes something of the image of a volume; the rest stays',
    action: 'os-set_image_metadata',
    body: z.strictObject({ metadata }),
    answer: metadataAnswer,
    async handle(request) {
      const { id, fromImage } = await ownVolume(request, request.param('id'));
      const { metadata: given } = request.body;
      const image = metadataItem(given, 'image_id');
      if (fromImage !== '' && image !== undefined && image !== fromImage) throw ofImage(id, fromImage);
      const changed = await request.cluster.commands.update(id, { imageMetadata: given });
      return { metadata: imageMetadataOf(changed) };
    },
  }),
  call({
    ...action,
    name: 'volume:image-metadata:change',
    summary: 'Removes something that is noted of the image of a volume',
    action: 'os-unset_image_metadata',
    body: z.strictObject({ key: z.string().min(1).max(255) }),
    answer: noAnswer,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const { key } = request.body;
      if (key === 'image_id' && volume.fromImage !== '') throw ofImage(volume.id, volume.fromImage);
      if (metadataItem(volume.imageMetadata, key) === undefined) {
        throw errors.metadataNotFound(`the image of volume ${volume.id}`, key);
      }
      await request.cluster.commands.update(volume.id, { unsetImageMetadata: [key] });
    },
  }),
];

/** Throws NotOffered. */
function refuseUnserved(body: z.output<typeof uploadBody>): void {
  if ((body.container_format || 'bare') !== 'bare') {
    throw errors.notOffered('images of volumes are in no container', 'leave container_format out, or set it to bare');
  }
  if ((body.visibility || 'private') !== 'private' || body.protected === true) {
    throw errors.notOffered(
      'images of volumes are private and not protected',
      'change that at the image service, once the image has its data',
    );
  }
}

function ofImage(volume: string, image: string): Error {
  return errors.notOffered(`volume ${volume} was made from image ${image}: its image_id stays`, 'set other keys');
}
