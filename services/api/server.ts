import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import { BackupCatalog } from '../../lib/backups/catalog.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { clusterCommands } from '../../lib/client/cluster-commands.ts';
import { RecentCandidates } from '../../lib/client/placement.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { BlockstoreError, asError, errors } from '../../lib/errors.ts';
import { authStrategy } from '../../lib/flags/api-flags.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import type { Store } from '../../lib/redis/store.ts';
import { inSpan } from '../../lib/tracing.ts';
import type { Monitoring } from '../monitoring/monitoring.ts';
import type { Authenticator, Credentials } from './authentication/authenticator.ts';
import { type Caller, hasRole } from './caller.ts';
import { refuseForeignPages } from './browser-guard.ts';
import type { Backups, Context } from './call.ts';
import type { ServerCertificate } from './certificate.ts';
import { ClusterView } from './cluster-view.ts';
import { calls } from './calls/index.ts';
import { type Route, chosenCall, firstPartsOf, routesOf } from './dispatch.ts';
import { errorAnswer } from './error-answer.ts';
import { type Handshakes, makeHttpServer } from './http-server.ts';
import { identityErrorAnswer } from './identity/error-answer.ts';
import { isForIdentity, serveIdentity } from './identity/routes.ts';
import { parseJson } from './json.ts';
import { versionAsked, versionText } from './microversion.ts';
import { blockStorageDocument } from './openapi/block-storage.ts';
import { serveOpenApi } from './openapi/route.ts';
import { serveMonitoring } from './monitoring-routes.ts';
import { servePage } from './page.ts';
import { checkPolicy } from './policy.ts';
import { RequestLimits, addressKey } from './request-limits.ts';
import { type ClientTimes, clientTimes, Waits, limitSlowReaders } from './time-limits.ts';
import { versionsDocument } from './versions.ts';
import { newRequestId, refuseConnection } from './wire-errors.ts';

export interface ServerOptions {
  flags: Flags;
  store: Store;
  log: Log;
  authenticator: Authenticator;
  monitoring?: Monitoring | undefined;
  /** It is served by TLS. */
  certificate?: ServerCertificate | undefined;
  /** How long clients may take. */
  times?: ClientTimes | undefined;
}

/** Requests of the known clients have some KiB. */
const maxBodyBytes = 256 * 1024;
const maxHeaderBytes = 16 * 1024;
/** A connection without requests is closed. */
const keepAliveMs = 72_000;
/** Calls that wait for a node give up by themselves after api_timeout, and say what they waited for. */
const graceMs = 2000;

const versionHeader = 'OpenStack-API-Version';
const routes = routesOf(calls);
/** What no project in a path can be named. */
const reservedNames = firstPartsOf(routes);
const projectForm = /^[0-9a-zA-Z_.-]{1,255}$/;
const paramsSchema = z.record(z.string(), z.string());
const requestIdForm = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The API of a node, without its listening sockets. */
export class ApiServer {
  readonly fastify: FastifyInstance;
  private readonly options: ServerOptions;
  private readonly client: RequestClient;
  private readonly recent = new RecentCandidates();
  /** What requests turned out to mean. */
  private readonly callNames = new WeakMap<FastifyRequest, string>();
  private readonly handshakes: Handshakes = new Set();
  private readonly limits: RequestLimits;
  private readonly waits = new Waits();
  private isStopping = false;
  private readonly view: ClusterView;
  private readonly backups: Backups;

  constructor(options: ServerOptions) {
    this.options = options;
    this.client = new RequestClient(options.store);
    this.view = new ClusterView(options.store);
    const store = openBackupStore(options.flags);
    this.backups = { store, catalog: new BackupCatalog(store) };
    const { flags, certificate, times = clientTimes } = options;
    this.limits = new RequestLimits({
      rate: flags.api_rate_limit,
      burst: flags.api_rate_burst,
      perCaller: flags.api_max_requests_per_caller,
      total: flags.api_max_requests,
    });
    const http = {
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: times.headerMs,
      requestTimeout: times.requestMs,
      connectionsCheckingInterval: times.checkMs,
      keepAliveTimeout: keepAliveMs,
    };
    const perAddress = flags.api_max_connections_per_address;
    this.fastify = fastify({
      bodyLimit: maxBodyBytes,
      serverFactory: (listener) =>
        makeHttpServer(listener, http, { certificate, handshakes: this.handshakes, perAddress }),
      // Requests under way at a stop are answered; idle connections are closed.
      forceCloseConnections: 'idle',
      // A name in a path has up to 255 characters, of up to 12 bytes each as they are sent.
      routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
      genReqId: newRequestId,
      frameworkErrors: (error, request, reply) => {
        withIds(request, reply);
        void this.fail(error, request, reply);
      },
      clientErrorHandler: refuseConnection,
      exposeHeadRoutes: false,
    });
    this.install();
  }

  /** Answers the requests that are under way; those that wait still after `stopMs` throw NodeStopping. */
  async close(stopMs: number): Promise<void> {
    const timer = setTimeout(() => this.waits.end(errors.nodeStopping()), stopMs);
    this.isStopping = true;
    await this.fastify.close();
    clearTimeout(timer);
  }

  private install(): void {
    const { fastify: server } = this;
    const { authenticator, flags } = this.options;
    const { trustsEverybody = false } = authenticator;
    server.addHook('onRequest', async (request, reply) => {
      withIds(request, reply);
      refuseForeignPages(request, { url: flags.api_url, trustsEverybody });
    });
    limitSlowReaders(server, this.options.times ?? clientTimes);
    server.addHook('preClose', async () => {
      for (const socket of this.handshakes) socket.destroy();
    });
    // A connection that stays open keeps the server from closing.
    server.addHook('onSend', async (_request, reply) => {
      if (this.isStopping) void reply.header('connection', 'close');
    });
    server.removeAllContentTypeParsers();
    // Clients send an empty body as JSON.
    server.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
      try {
        done(null, body === '' ? undefined : parseJson(String(body)));
      } catch (error) {
        done(error instanceof BlockstoreError ? error : errors.invalidRequest(['the body is not valid JSON']));
      }
    });
    server.setErrorHandler((thrown, request, reply) => this.fail(thrown, request, reply));
    server.setNotFoundHandler((request, reply) =>
      this.fail(errors.noSuchCall(request.method, pathOf(request)), request, reply),
    );
    const { monitoring } = this.options;
    if (monitoring) serveMonitoring(server, monitoring, (request) => this.callNames.get(request));
    servePage(server, (request) => versionsDocument(this.origin(request)));
    server.get('/v3', (request, reply) => reply.send(versionsDocument(this.origin(request))));
    serveOpenApi(server, '/v3/openapi.json', blockStorageDocument);
    if (authStrategy(flags) === 'local') {
      const { store, log } = this.options;
      const originOf = (request: FastifyRequest) => this.origin(request);
      const note = (request: FastifyRequest, name: string) => void this.callNames.set(request, name);
      serveIdentity(server, { store, flags, log, originOf, limits: this.limits, note });
    }
    for (const route of routes) {
      for (const prefix of ['/v3/:project_id', '/v3']) {
        server.route({
          method: route.method,
          url: `${prefix}${route.path}`,
          handler: (request, reply) => this.serve(route, request, reply),
        });
      }
    }
  }

  private async serve(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const version = versionAsked(headerOf(request, 'openstack-api-version'));
    void reply.header(versionHeader, `volume ${versionText(version)}`).header('Vary', versionHeader);
    const params = new Map(Object.entries(paramsSchema.parse(request.params)));
    const project = params.get('project_id') ?? '';
    if (reservedNames.has(project)) throw errors.reservedProject(project);
    if (project !== '' && !projectForm.test(project)) throw errors.noSuchCall(request.method, pathOf(request));
    const { api_timeout: seconds } = this.options.flags;
    const work = this.limits.run((admit) => this.answer({ route, request, version, project, params }, admit));
    const { status, answer } = await this.waits.within(seconds * 1000 + graceMs, work, () =>
      errors.answerLate(seconds),
    );
    reply.status(status);
    return status === 204 ? reply.send() : reply.send(answer);
  }

  private async answer(
    { route, request, version, project, params }: Asked,
    admit: (caller: string) => void,
  ): Promise<{ status: number; answer: unknown }> {
    const caller = await this.callerOf(request, project);
    admit(JSON.stringify([caller.userId, caller.projectId]));
    const { call, body } = chosenCall(route, version, request.body);
    this.callNames.set(request, call.name);
    checkPolicy(call.name, caller);
    const requester = requesterOf(request, caller);
    const prefix = project === '' ? '/v3' : `/v3/${project}`;
    const url = new URL(request.url, 'http://localhost');
    const context: Context = {
      caller,
      version,
      base: `${this.origin(request)}${prefix}`,
      path: url.pathname.slice(prefix.length),
      search: url.searchParams,
      key: headerOf(request, 'idempotency-key'),
      requestId: request.id,
      flags: this.options.flags,
      backups: this.backups,
      cluster: clusterCommands(this.options.store.as(requester), {
        client: this.client,
        topic: this.options.flags.volume_topic,
        recent: this.recent,
      }),
      view: this.view,
    };
    const span = {
      name: `API ${call.name}`,
      kind: 'server',
      requester,
      headers: request.headers,
      attributes: { 'http.request.method': request.method, 'blockstore.project': caller.projectId },
    } as const;
    const answer = await inSpan(span, () => call.run(context, { params, query: request.query, body }));
    return { status: call.status, answer };
  }

  /** A service that acts for a user sends a token of its own beside the user's. Throws NotAuthenticated. */
  private async callerOf(request: FastifyRequest, project: string): Promise<Caller> {
    const caller = await this.authenticate(request, { token: headerOf(request, 'x-auth-token') ?? '', project });
    const token = headerOf(request, 'x-service-token');
    if (token === undefined) return caller;
    const service = await this.authenticate(request, { token, project: '' });
    return hasRole(service, 'service') ? { ...caller, roles: [...caller.roles, 'service'] } : caller;
  }

  /** Who has no valid token is counted by address. Throws NotAuthenticated, TooManyRequests. */
  private async authenticate({ ip }: FastifyRequest, credentials: Credentials): Promise<Caller> {
    try {
      return await this.options.authenticator.authenticate(credentials);
    } catch (error) {
      if (asError(error).code === 'NotAuthenticated') this.limits.take(addressKey(ip));
      throw error;
    }
  }

  private fail(thrown: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const hasGone = request.raw.destroyed && !request.raw.complete;
    const error = hasGone ? errors.invalidRequest(['the body is incomplete']) : (ofFastify(thrown) ?? asError(thrown));
    const { status, headers, body } = (isForIdentity(request.url) ? identityErrorAnswer : errorAnswer)(error);
    if (status >= 500) {
      const { message, cause } = error;
      const stack = cause instanceof Error ? { stack: cause.stack } : {};
      this.options.log.warn(`${request.method} ${pathOf(request)} failed: ${message}`, {
        request: request.id,
        ...stack,
      });
    }
    const challenge = status === 401 ? this.options.authenticator.challenge?.(this.origin(request)) : undefined;
    if (challenge !== undefined) void reply.header('www-authenticate', challenge);
    return reply.status(status).headers(headers).send(body);
  }

  /** The address of the API as the client knows it. */
  private origin(request: FastifyRequest): string {
    const { api_url: url } = this.options.flags;
    return url === '' ? `${request.protocol}://${request.host}` : url.replace(/\/+$/, '');
  }
}

/** A request, as far as its header says what it is. */
interface Asked {
  route: Route;
  request: FastifyRequest;
  version: number;
  project: string;
  params: ReadonlyMap<string, string>;
}

function withIds({ id }: FastifyRequest, reply: FastifyReply): void {
  void reply.header('x-openstack-request-id', id).header('x-compute-request-id', id);
}

/** Errors of the library. */
function ofFastify(thrown: unknown): BlockstoreError | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : '';
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return errors.requestTooLarge(maxBodyBytes);
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return errors.noJson();
  if (typeof code === 'string' && code.startsWith('FST_ERR_CTP'))
    return errors.invalidRequest(['the body is not valid']);
  if (code === 'FST_ERR_BAD_URL' || code === 'FST_ERR_MAX_PARAM_LENGTH')
    return errors.invalidRequest(['the path is not valid']);
  return undefined;
}

function headerOf(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(',') : value;
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0]?.slice(0, 200) ?? '';
}

/** In records and events. The id that the client gave to a request of its own leads there as well. */
function requesterOf(request: FastifyRequest, { userId }: Caller): string {
  const given = headerOf(request, 'x-openstack-request-id') ?? '';
  return `${requestIdForm.test(given) ? given : request.id} ${userId}`;
}
