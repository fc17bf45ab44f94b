import { z } from 'zod';
import { errors } from '../../lib/errors.ts';
import type { Call } from './call.ts';

/** The calls that share a method and a path: they differ in their versions, or in the action that the body names. */
export interface Route<Of extends Pick<Call, 'path'> & { method: string } = Call> {
  method: Of['method'];
  path: string;
  calls: readonly Of[];
}

export function routesOf<Of extends Pick<Call, 'path'> & { method: string }>(calls: readonly Of[]): Route<Of>[] {
  const routes = new Map<string, { method: Of['method']; path: string; calls: Of[] }>();
  for (const call of calls) {
    const { method, path } = call;
    const key = `${method} ${path}`;
    const none: Of[] = [];
    const route = routes.get(key) ?? { method, path, calls: none };
    routes.set(key, route);
    route.calls.push(call);
  }
  return [...routes.values()];
}

/** Returns the first parts of the paths: where a project of such a name were in front, each path could mean two calls. */
export function firstPartsOf(routes: readonly Route[]): ReadonlySet<string> {
  return new Set(routes.flatMap(({ path }) => path.split('/')[1] ?? []));
}

const actionSchema = z.record(z.string(), z.unknown());

/** Returns the call that a request means, and its body. Throws NoSuchCall, InvalidRequest. */
export function chosenCall(
  { method, path, calls }: Route,
  version: number,
  body: unknown,
): { call: Call; body: unknown } {
  const served = calls.filter(({ since = 0, until = Infinity }) => since <= version && version <= until);
  const [first] = served;
  if (!first) throw errors.noSuchCall(method, `${path} in version 3.${version}`);
  if (first.action === undefined) return { call: first, body };
  const [name, ...further] = Object.keys(actionSchema.safeParse(body).data ?? {});
  const known = served.flatMap(({ action = [] }) => action);
  if (name === undefined || further.length > 0) {
    throw errors.invalidRequest([`the body must have one key, the action: one of ${known.join(', ')}`]);
  }
  const call = served.find(({ action }) => action === name);
  if (!call) throw errors.invalidRequest([`${name.slice(0, 60)} is none of ${known.join(', ')}`]);
  return { call, body: actionSchema.parse(body)[name] };
}
