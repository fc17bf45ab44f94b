import { z } from 'zod';
import type { BackupCatalog } from '../../lib/backups/catalog.ts';
import type { BackupStore } from '../../lib/backups/store.ts';
import { errors } from '../../lib/errors.ts';
import type { ClusterCommands } from '../../lib/client/cluster-commands.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Caller } from './caller.ts';
import type { ClusterView } from './cluster-view.ts';
import type { CallName } from './policy.ts';

/** The names of the parameters of a path, which begin with a colon. */
export type ParameterOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterOf<Rest>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

/** Where backups are; `catalog`: lists of them. */
export interface Backups {
  store: BackupStore;
  catalog: BackupCatalog;
}

/** What every call gets. */
export interface Context {
  caller: Caller;
  /** x of version 3.x. */
  version: number;
  /** Address of the API as the client knows it, up to the project, without a slash at its end. */
  base: string;
  /** The path below `base`, and the query, as they were sent. */
  path: string;
  search: URLSearchParams;
  /** `Idempotency-Key`, of a request that may be sent twice. */
  key: string | undefined;
  requestId: string;
  flags: Flags;
  backups: Backups;
  /** Its changes are recorded as those of the caller. */
  cluster: ClusterCommands;
  view: ClusterView;
}

export interface Request<Path extends string, Query, Body> extends Context {
  param(name: ParameterOf<Path>): string;
  query: Query;
  body: Body;
}

interface Description<Path extends string, Query extends z.ZodType, Body extends z.ZodType> {
  /** Its row in the policy. */
  name: CallName;
  summary: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below /v3/{project} and /v3. */
  path: Path;
  /** Of the calls that share a path, the one whose name is the only key of the body. */
  action?: string;
  /** Versions 3.x that have it. */
  since?: number;
  until?: number;
  query: Query;
  body: Body;
  /** HTTP status of success. */
  status: 200 | 201 | 202 | 204;
  /** What success answers. */
  answer: z.ZodType;
  handle: (request: Request<Path, z.output<Query>, z.output<Body>>) => Promise<unknown>;
}

/** A call of the API. */
export interface Call extends Omit<Description<string, z.ZodType, z.ZodType>, 'handle'> {
  /** Throws InvalidRequest, and what the call throws. Returns the answer. */
  run(context: Context, raw: { params: ReadonlyMap<string, string>; query: unknown; body: unknown }): Promise<unknown>;
}

export const noQuery = z.strictObject({});
/** Clients also send an empty document. */
export const noBody = z.union([z.undefined(), z.null(), z.strictObject({})]);
export const noAnswer = z.undefined();

export function call<const Path extends string, Query extends z.ZodType, Body extends z.ZodType>(
  description: Description<Path, Query, Body>,
): Call {
  const { handle, ...rest } = description;
  return {
    ...rest,
    run: async (context, { params, query, body }) =>
      handle({
        ...context,
        query: checked(rest.query, query, 'the query'),
        body: checked(rest.body, body, rest.action ?? 'the body'),
        param(name) {
          const value = params.get(name);
          if (value === undefined) throw new Error(`${rest.path} has no parameter ${name}`);
          return value;
        },
      }),
  };
}

/** Throws InvalidRequest with every problem. */
export function checked<T extends z.ZodType>(schema: T, value: unknown, whole: string): z.output<T> {
  const { data, error } = schema.safeParse(value, { reportInput: false });
  if (!error) return data;
  const problems = error.issues.flatMap((issue) => problemsOf(issue)).slice(0, 10);
  throw errors.invalidRequest(problems.map(({ place, message }) => `${place.join('.') || whole}: ${message}`));
}

interface Problem {
  place: readonly string[];
  message: string;
  /** The value is not of the type, or not the one value, that is expected. */
  isOfOtherType: boolean;
}

/** What zod says of alternatives none of which fits, where they have no message of their own. */
const unnamed = 'Invalid input';

/** Of alternatives: what is wrong with the one for a value of this type, or with the last. */
function problemsOf(issue: z.core.$ZodIssue, above: readonly string[] = []): Problem[] {
  const { code, message, path } = issue;
  const place = [...above, ...path.map(String)];
  const isOfOtherType = path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
  const itself = [{ place, message, isOfOtherType }];
  if (issue.code !== 'invalid_union' || message !== unnamed) return itself;
  const alternatives = issue.errors.map((own) => own.flatMap((one) => problemsOf(one, place)));
  return alternatives.findLast((own) => !own.some((one) => one.isOfOtherType)) ?? alternatives.at(-1) ?? itself;
}
