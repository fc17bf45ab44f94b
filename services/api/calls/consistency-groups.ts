import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { type Call, call, noBody } from '../call.ts';
import type { CallName } from '../policy.ts';

/** There are no consistency groups, which groups have replaced: lists are empty, objects do not exist, and new ones are refused. */
interface Kind {
  path: string;
  /** In lists, and of one. */
  plural: string;
  noun: string;
  since: number;
  reads: CallName;
  changes: CallName;
  /** A list in detail exists as well. */
  hasDetail: boolean;
}

const kinds: readonly Kind[] = [
  {
    path: '/consistencygroups',
    plural: 'consistencygroups',
    noun: 'consistency group',
    since: 0,
    hasDetail: true,
    reads: 'group:list',
    changes: 'group:change',
  },
  {
    path: '/cgsnapshots',
    plural: 'cgsnapshots',
    noun: 'snapshot of a consistency group',
    since: 0,
    hasDetail: true,
    reads: 'group:list',
    changes: 'group:change',
  },
];

/** Whatever a list is filtered by, it is empty. */
const anyQuery = z.record(z.string(), z.unknown());
const anyBody = z.unknown();

export const consistencyGroupCalls: readonly Call[] = kinds.flatMap(callsOf);

function callsOf({ path, plural, noun, since, reads, changes, hasDetail }: Kind): Call[] {
  const lists = hasDetail ? [path, `${path}/detail`] : [path];
  const listed = lists.map((place) =>
    call({
      name: reads,
      summary: `Lists ${plural}: there are none`,
      method: 'GET',
      path: place,
      since,
      query: anyQuery,
      body: noBody,
      status: 200,
      answer: z.record(z.string(), z.array(z.never())),
      handle: async () => ({ [plural]: [] }),
    }),
  );
  const refused = (['POST', 'PUT'] as const).map((method) =>
    call({
      name: changes,
      summary: `Refused: there is no ${noun}`,
      method,
      path: method === 'POST' ? path : `${path}/:id`,
      since,
      query: anyQuery,
      body: anyBody,
      status: 202,
      answer: z.never(),
      handle: (request) => {
        if (method === 'PUT') throw absent(noun, request.path);
        throw errors.notOffered('this installation has no consistency groups', 'make a group: POST /v3/groups');
      },
    }),
  );
  const unknown = (['GET', 'DELETE'] as const).map((method) =>
    call({
      name: method === 'GET' ? reads : changes,
      summary: `There is no ${noun}`,
      method,
      path: `${path}/:id`,
      since,
      query: anyQuery,
      body: noBody,
      status: method === 'GET' ? 200 : 202,
      answer: z.never(),
      handle: (request) => {
        throw absent(noun, request.path);
      },
    }),
  );
  const below = ['/:id/action', '/:id/group_specs', '/:id/delete', '/:id/update'].map((rest) =>
    call({
      name: changes,
      summary: `There is no ${noun}`,
      method: rest.endsWith('update') ? 'PUT' : 'POST',
      path: `${path}${rest}`,
      since,
      query: anyQuery,
      body: anyBody,
      status: 202,
      answer: z.never(),
      handle: (request) => {
        throw absent(noun, request.path);
      },
    }),
  );
  return [...listed, ...refused, ...unknown, ...below];
}

/** `path`: with the id behind the second slash. */
function absent(noun: string, path: string): Error {
  const [, , id = ''] = path.split('/');
  return errors.notFoundHere(`the ${noun}`, id.slice(0, 100), 'this installation has no consistency groups');
}
