import { createHash } from 'node:crypto';
import type { Flags } from '../../../lib/flags/definitions.ts';

const region = 'RegionOne';
export const catalogInterfaces = ['public', 'internal', 'admin'] as const;

/** What clients find the services by. `origin`: the address of the API as the client knows it. */
export function catalogFor(project: string, origin: string, { image_url: images }: Pick<Flags, 'image_url'>) {
  const volumes = `${origin}/v3/${project}`;
  return [
    service('block-storage', 'cinder', volumes),
    service('volumev3', 'cinderv3', volumes),
    service('identity', 'keystone', `${origin}/identity/v3`),
    service('image', 'glance', images === '' ? `${origin}/image` : images.replace(/\/+$/, '')),
  ];
}

function service(type: string, name: string, url: string) {
  return {
    id: idOf(type),
    type,
    name,
    endpoints: catalogInterfaces.map((one) => ({
      id: idOf(`${type} ${one}`),
      interface: one,
      region,
      region_id: region,
      url,
    })),
  };
}

function idOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
