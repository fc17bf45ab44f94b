import type { z } from 'zod';
import type { KnownToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type ParameterOf, checked } from '../call.ts';
import type { IdentityCallName } from './policy.ts';

/** What every call of the identity service gets. */
export interface IdentityContext {
  /** Undefined where the call asks for no token. */
  caller: KnownToken | undefined;
  /** Its changes are recorded as those of the caller. */
  store: Store;
  flags: Flags;
  /** Address of the API as the client knows it, without a slash at its end. */
  origin: string;
  /** The path below `origin`, and the query, as they were sent. */
  path: string;
  search: URLSearchParams;
  /** Where the request comes from. */
  address: string;
  /** `X-Subject-Token`; '' = none. */
  subjectToken: string;
  /** `Idempotency-Key`, of a request that may be sent twice. */
  key: string | undefined;
  /** Sets a header of the answer. */
  answerHeader: (name: string, value: string) => void;
}

export interface IdentityRequest<Path extends string, Query, Body> extends IdentityContext {
  param(name: ParameterOf<Path>): string;
  query: Query;
  body: Body;
}

interface Description<Path extends string, Query extends z.ZodType, Body extends z.ZodType> {
  /** Its row in the policy. */
  name: IdentityCallName;
  summary: string;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below /identity/v3. */
  path: Path;
  query: Query;
  body: Body;
  /** HTTP status of success. */
  status: 200 | 201 | 204;
  /** What success answers. */
  answer: z.ZodType;
  /** Whether it takes `X-Subject-Token` or `Idempotency-Key`, or answers `X-Subject-Token`. */
  headers?: { request?: readonly ('subjectToken' | 'idempotencyKey')[]; answer?: readonly 'subjectToken'[] };
  handle: (request: IdentityRequest<Path, z.output<Query>, z.output<Body>>) => Promise<unknown>;
}

/** A call of the identity service. */
export interface IdentityCall extends Omit<Description<string, z.ZodType, z.ZodType>, 'handle'> {
  /** Throws InvalidRequest, and what the call throws. Returns the answer. */
  run(
    context: IdentityContext,
    raw: { params: ReadonlyMap<string, string>; query: unknown; body: unknown },
  ): Promise<unknown>;
}

export function identityCall<const Path extends string, Query extends z.ZodType, Body extends z.ZodType>(
  description: Description<Path, Query, Body>,
): IdentityCall {
  const { handle, ...rest } = description;
  return {
    ...rest,
    run: async (context, { params, query, body }) =>
      handle({
        ...context,
        query: checked(rest.query, query, 'the query'),
        body: checked(rest.body, body, 'the body'),
        param(name) {
          const value = params.get(name);
          if (value === undefined) throw new Error(`${rest.path} has no parameter ${name}`);
          return value;
        },
      }),
  };
}

/** Returns who has the token of a request whose call asks for one. Throws NotAuthenticated. */
export function callerOf({ caller }: Pick<IdentityContext, 'caller'>): KnownToken {
  if (!caller) throw errors.notAuthenticated('the request has no token');
  return caller;
}
