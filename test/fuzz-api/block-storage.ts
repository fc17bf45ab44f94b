import { blockStorageDocument } from '../../services/api/openapi/block-storage.ts';
import type { Random } from '../simulation/random.ts';
import { rawRequests } from './hostile.ts';
import { KnownIds } from './known-ids.ts';
import type { Place } from './place.ts';
import { Requests } from './requests.ts';
import type { FuzzedService, RequestSource } from './service.ts';

const projects = ['', '', '/p1', '/p1', '/p2'];
const newest = 70;

/** The Block Storage API, which trusts everybody. */
export const blockStorage: FuzzedService = {
  flags: {},
  raw: rawRequests,
  source: (_place: Place, random: Random): RequestSource => {
    const ids = new KnownIds(random);
    const requests = new Requests(random, blockStorageDocument(), {
      someId: () => ids.some(''),
      turn({ isOfProject }) {
        const headers: Record<string, string> = {};
        if (random.chance(0.7)) headers['openstack-api-version'] = `volume 3.${random.between(0, newest)}`;
        if (random.chance(0.3)) headers['x-auth-token'] = random.pick(['u1', 'admin', 'u1:p1', 'admin:p2']) ?? '';
        return {
          prefix: `/v3${isOfProject ? (random.pick(projects) ?? '') : ''}`,
          headers,
          idFor: (noun) => ids.some(noun),
        };
      },
    });
    return {
      next: () => requests.next(),
      learn({ path }, { status }, body) {
        const [noun = ''] = path.replace(/^\/v3(\/p\d)?\//, '').split(/[/?]/, 1);
        if (status < 300) ids.learn(body, () => noun);
        return undefined;
      },
    };
  },
};
