import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { findToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';
import type { Image } from '../../../lib/images/image.ts';
import { openImageStore } from '../../../lib/images/open-store.ts';
import { isId } from '../../../lib/models/id.ts';
import { checked } from '../call.ts';
import { wholeNumber } from '../listing.ts';
import type { IdentityOptions } from './routes.ts';

const maxPage = 100;
const query = z.object({
  name: z.string().max(255).optional(),
  limit: wholeNumber.optional(),
  marker: z.string().max(64).optional(),
});
const paramsSchema = z.object({ id: z.string() });

/**
 * Shows the images of `image_directory` in the form of the Images v2 API: clients look an image up by its name before they ask for a volume
 * of it, and refuse to make volumes where no such service is in the catalog.
 */
export function serveImages(server: FastifyInstance, { flags, store, originOf, note }: IdentityOptions): void {
  const images = openImageStore(flags);
  const get = (path: string, name: 'image:list' | 'image:show', answer: (request: FastifyRequest) => Promise<object>) =>
    server.get(path, async (request, reply) => {
      note(request, name);
      await refuseUnknown(request, name);
      return reply.send(await answer(request));
    });
  const refuseUnknown = async ({ headers: { 'x-auth-token': token } }: FastifyRequest, call: string) => {
    const known = await findToken(store, typeof token === 'string' ? token : '');
    if (!known) throw errors.notAuthenticated('the token is not valid, or not any more');
    if (!known.project) throw errors.projectRequired(call);
  };
  server.get('/image', (request, reply) =>
    reply.status(300).send({
      versions: [{ id: 'v2.0', status: 'CURRENT', links: [{ rel: 'self', href: `${originOf(request)}/image/v2/` }] }],
    }),
  );
  get('/image/v2/images', 'image:list', async (request) => {
    const { name, limit = maxPage, marker } = checked(query, request.query, 'the query');
    if (name !== undefined) return { images: (await images.named(name)).map(imageView), first: '/v2/images' };
    const page = await images.list({
      limit: Math.min(limit || maxPage, maxPage),
      ...(marker === undefined ? {} : { marker }),
    });
    const next = page.marker === undefined ? {} : { next: `/v2/images?marker=${encodeURIComponent(page.marker)}` };
    return { images: page.images.map(imageView), first: '/v2/images', ...next };
  });
  get('/image/v2/images/:id', 'image:show', async (request) => {
    const { id } = paramsSchema.parse(request.params);
    if (!isId(id)) throw errors.imageNotFound(id.slice(0, 100), flags.image_directory);
    return imageView(await images.show(id));
  });
}

/** Nobody owns an image of the directory. */
function imageView({ id, name, status, diskFormat, containerFormat, sizeBytes, minDisk }: Image): object {
  return {
    id,
    name,
    status,
    disk_format: diskFormat,
    container_format: containerFormat,
    size: sizeBytes ?? null,
    min_disk: minDisk,
    min_ram: 0,
    visibility: 'public',
    protected: false,
    os_hidden: false,
    tags: [],
    self: `/v2/images/${id}`,
    file: `/v2/images/${id}/file`,
    schema: '/v2/schemas/image',
  };
}
