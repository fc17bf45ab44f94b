import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { findToken } from '../../../lib/client/identity/tokens.ts';
import { asError, errors } from '../../../lib/errors.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import type { Log } from '../../../lib/log.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { type RequestLimits, addressKey } from '../request-limits.ts';
import { identityDocument } from '../openapi/identity.ts';
import { serveOpenApi } from '../openapi/route.ts';
import type { IdentityCall, IdentityContext } from './call.ts';
import { identityCalls } from './calls/index.ts';
import { serveImages } from './images.ts';
import { checkIdentityPolicy, isOpen } from './policy.ts';
import { identityVersion, identityVersions } from './versions.ts';

export interface IdentityOptions {
  flags: Flags;
  store: Store;
  log: Log;
  /** The address of the API as the client knows it. */
  originOf: (request: FastifyRequest) => string;
  /** The same as of the other calls. */
  limits: RequestLimits;
  /** Called with the name of the call that a request means. */
  note: (request: FastifyRequest, name: string) => void;
}

const paramsSchema = z.record(z.string(), z.string());

/** Whether a request is for the identity service, whose errors have a form of their own. */
export function isForIdentity(url: string): boolean {
  return /^\/identity(?:[/?]|$)/.test(url);
}

/** Serves Identity v3 below /identity, for users in Redis. */
export function serveIdentity(server: FastifyInstance, options: IdentityOptions): void {
  server.get('/identity', (request, reply) => reply.status(300).send(identityVersions(options.originOf(request))));
  server.get('/identity/v3', (request, reply) => reply.send(identityVersion(options.originOf(request))));
  serveOpenApi(server, '/identity/v3/openapi.json', identityDocument);
  if (options.flags.image_url === '') serveImages(server, options);
  for (const call of identityCalls) {
    server.route({
      method: call.method,
      url: `/identity/v3${call.path}`,
      handler: async (request, reply) => {
        options.note(request, `identity:${call.name}`);
        const headers = new Map<string, string>([
          ['vary', 'X-Auth-Token'],
          ['cache-control', 'no-store'],
        ]);
        const answer = await options.limits.run((admit) =>
          answerTo(call, request, { ...options, admit, answerHeader: (name, value) => headers.set(name, value) }),
        );
        return reply
          .status(call.status)
          .headers(Object.fromEntries(headers))
          .send(call.status === 204 || call.method === 'HEAD' ? undefined : answer);
      },
    });
  }
}

async function answerTo(
  call: IdentityCall,
  request: FastifyRequest,
  options: IdentityOptions & Pick<IdentityContext, 'answerHeader'> & { admit: (caller: string) => void },
): Promise<unknown> {
  const { store, flags, log, limits, originOf, answerHeader } = options;
  const params = new Map(Object.entries(paramsSchema.parse(request.params)));
  if ([...params.values()].includes('')) throw errors.noSuchCall(request.method, call.path);
  const token = headerOf(request, 'x-auth-token');
  const caller = isOpen(call.name) ? undefined : await findToken(store, token);
  if (caller) options.admit(JSON.stringify([caller.user.id, caller.project?.id ?? '']));
  else limits.take(addressKey(request.ip));
  checkIdentityPolicy(call.name, caller, params.get('user_id') ?? '');
  const url = new URL(request.url, 'http://localhost');
  const key = headerOf(request, 'idempotency-key');
  const context: IdentityContext = {
    caller,
    store: store.as(caller ? `${request.id} ${caller.user.id}` : request.id),
    flags,
    origin: originOf(request),
    path: url.pathname,
    search: url.searchParams,
    address: addressKey(request.ip),
    subjectToken: headerOf(request, 'x-subject-token'),
    key: key === '' ? undefined : key,
    answerHeader,
  };
  try {
    return await call.run(context, { params, query: request.query, body: request.body });
  } catch (error) {
    // Neither the name, which can be a password in the wrong place, nor anything else of the request.
    if (asError(error).code === 'SignInRefused')
      log.warn('a sign-in was refused', { address: request.ip, request: request.id });
    throw error;
  }
}

function headerOf(request: FastifyRequest, name: string): string {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}
