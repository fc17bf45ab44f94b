import test from 'ava';
import { z } from 'zod';
import type { Call } from '../../../services/api/call.ts';
import { type Role, roles } from '../../../services/api/caller.ts';
import { calls } from '../../../services/api/calls/index.ts';
import { firstPartsOf, routesOf } from '../../../services/api/dispatch.ts';
import { newest } from '../../../services/api/microversion.ts';
import { policy } from '../../../services/api/policy.ts';
import { type ApiAnswer, ApiClient } from '../../support/api.ts';
import { makers, parametersOf } from './policy/makers.ts';
import { type PolicyPlace, policyPlace } from './policy/place.ts';
import { type Owner, type Sent, foreign, own, requestOf } from './policy/requests.ts';
import { type Trial, keyOf, trialsOf } from './policy/trials.ts';

/** Who has a role: told here anew, so that a mistake in the API shows. */
const allowed: Readonly<Record<Role, readonly string[]>> = {
  reader: ['reader', 'member', 'admin'],
  member: ['member', 'admin'],
  service: ['service', 'admin'],
  admin: ['admin'],
};
const everyRole = [...roles, 'none'];
const refusals = [400, 404, 409];
/** Calls that are tried at the same time. */
const concurrency = 8;
const errorSchema = z.record(z.string(), z.looseObject({ message: z.string() }));

let place: PolicyPlace;
test.before(async () => {
  place = await policyPlace();
});
test.after.always(() => place.close());

test('every call can be tried', (t) => {
  for (const call of calls) {
    const key = keyOf(call);
    for (const parameter of parametersOf(call.path)) {
      t.true(
        makers.has(parameter),
        `${key}: add a maker for ${parameter} to policy/makers.ts, which makes what it names`,
      );
    }
    t.truthy(trialsOf(call), `${key}: add a body or a query that it accepts to policy/trials.ts`);
  }
  const named = new Set<string>(calls.map(({ name }) => name));
  const unused = Object.keys(policy).filter((name) => !named.has(name));
  t.deepEqual(unused, [], 'rows of the policy without a call');
});

test('each call serves the roles that the policy names, and hides objects of other projects', async (t) => {
  t.timeout(240_000);
  const waiting = calls.flatMap((call) => (trialsOf(call) ?? []).map((trial) => ({ call, trial })));
  const problems: string[] = [];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      problems.push(...(await problemsOf(next.call, next.trial)));
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  t.deepEqual(problems.toSorted(), []);
});

test('lists have no object of another project, not even for who asks for all projects', async (t) => {
  const others = Array.from(makers.values()).filter((maker) => maker.of === 'project');
  const ids = await Promise.all([...new Set(others)].map((maker) => maker.make(place, foreign, '')));
  for (const call of calls) {
    if (call.method !== 'GET' || call.path.includes(':') || !call.query.safeParse({}).success) continue;
    for (const query of ['', '?all_tenants=True', `?project_id=${foreign}`]) {
      for (const role of allowed[policy[call.name]].filter((one) => one !== 'admin')) {
        const { status, body } = await place.roles.as(own, role).version(newest).get(`/v3/${own}${call.path}${query}`);
        t.true(status < 500, `${call.path}${query}`);
        const text = JSON.stringify(body) ?? '';
        t.deepEqual(
          ids.filter((id) => text.includes(id)),
          [],
          `${role} ${call.path}${query}`,
        );
      }
    }
  }
});

test('no call serves a request without a token, or with a wrong one', async (t) => {
  const url = place.roles.as(own, 'admin').url;
  for (const { method, path, since = 0 } of calls) {
    const asked = path.replaceAll(/:[a-z_]+/g, 'x');
    for (const headers of [{}, { 'x-auth-token': 'user:p1:king' }]) {
      const client = new ApiClient(url, headers).version(since);
      t.is((await client.send(method, `/v3/${own}${asked}`)).status, 401, `${method} ${asked}`);
      t.is((await client.send(method, `/v3${asked}`)).status, 401, `${method} ${asked} without a project`);
    }
  }
  t.is((await place.roles.as(foreign, 'admin').get(`/v3/${own}/volumes`)).status, 401);
});

test('a project cannot be named as a part of the API in a path, and is served without one', async (t) => {
  for (const part of firstPartsOf(routesOf(calls))) {
    const member = place.roles.as(part, 'member');
    const answer = await member.get(`/v3/${part}/volumes/detail`);
    t.is(answer.status, 404, part);
    t.regex(wordsOf(answer), new RegExp(`${part} in a path is a part of the API, not a project`));
    const made = await member.post('/v3/volumes', { volume: { size: 1 } });
    t.is(made.status, 202, part);
  }
  const { body } = await place.roles.as('types', 'member').get('/v3/volumes/detail');
  t.is(z.object({ volumes: z.array(z.unknown()) }).parse(body).volumes.length, 1);
  t.is((await place.roles.as('types', 'member').get('/v3/types/volumes')).status, 404, 'the type named so');
});

/** Returns what is wrong with the answers to a call. */
async function problemsOf(call: Call, trial: Trial): Promise<string[]> {
  const problems: string[] = [];
  const isAllowed = (role: string) => allowed[policy[call.name]].includes(role);
  const expected = trial.status === undefined ? (isRefused(call) ? refusals : [call.status]) : [trial.status];
  const check = (role: string, { status, body }: ApiAnswer, statuses: readonly number[], what: string) => {
    if (statuses.includes(status)) return;
    problems.push(
      `${keyOf(call)} by ${role} on ${what}: ${status} in place of ${statuses.join('|')}: ${JSON.stringify(body)}`,
    );
  };
  const kept = await requestOf(place, call, trial, { path: 'own', ids: 'own' });
  for (const role of everyRole) {
    if (isAllowed(role)) {
      const { request } = await requestOf(place, call, trial, { path: 'own', ids: 'own' });
      check(role, await send(call, role, request), expected, 'an own object');
    } else check(role, await send(call, role, kept.request), [403], 'an own object');
  }
  const parts = [...(kept.ofPath ? ['path' as const] : []), ...(kept.ofIds ? ['ids' as const] : [])];
  for (const part of parts) {
    const whose = (one: Owner) => ({ path: 'own' as const, ids: 'own' as const, [part]: one });
    const { request, ...other } = await requestOf(place, call, trial, whose('foreign'));
    const isName = other[part === 'path' ? 'ofPath' : 'ofIds'] === 'name';
    for (const role of everyRole.filter((one) => one !== 'admin' && isAllowed(one))) {
      const answer = await send(call, role, request);
      check(role, answer, [isName ? 403 : 404], 'a foreign object');
      if (isName) continue;
      const absent = await send(call, role, (await requestOf(place, call, trial, whose('absent'))).request);
      const [told, plain] = [wordsOf(answer), wordsOf(absent)];
      if (told !== plain) {
        problems.push(`${keyOf(call)} by ${role}: "${told}" of a foreign object, "${plain}" of an absent one`);
      }
    }
    check('admin', await send(call, 'admin', request), expected, 'a foreign object');
  }
  return problems;
}

/** Whether a call has no answer but errors. */
function isRefused({ answer }: Call): boolean {
  return answer instanceof z.ZodNever;
}

function send({ method, until = newest }: Call, role: string, { path, body }: Sent): Promise<ApiAnswer> {
  return place.roles.as(own, role).version(until).send(method, path, body);
}

/** What an error says, without the ids of objects. */
function wordsOf({ body }: ApiAnswer): string {
  const [error] = Object.values(errorSchema.safeParse(body).data ?? {});
  return (error?.message ?? '').replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '#');
}
