import { z } from 'zod';

/** The answers to clients that ask what is served. `origin`: the address of the API. */
function version(origin: string) {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${origin}/identity/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  };
}

export function identityVersions(origin: string) {
  return { versions: { values: [version(origin)] } };
}

export function identityVersion(origin: string) {
  return { version: version(origin) };
}

/** What identityVersion() makes. */
export const identityVersionAnswer = z.strictObject({
  version: z.strictObject({
    id: z.string(),
    status: z.string(),
    updated: z.string(),
    links: z.array(z.strictObject({ rel: z.literal('self'), href: z.string() })),
    'media-types': z.array(z.strictObject({ base: z.string(), type: z.string() })),
  }),
});
