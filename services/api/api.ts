import { isIPv6 } from 'node:net';
import { asError, errors } from '../../lib/errors.ts';
import { apiTlsFiles, authStrategy, listenAddress } from '../../lib/flags/api-flags.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import type { Monitoring } from '../monitoring/monitoring.ts';
import type { Authenticator } from './authentication/authenticator.ts';
import { ServerCertificate } from './certificate.ts';
import { authenticatorFor } from './authentication/from-flags.ts';
import { ExpiredRecords } from './identity/expired-records.ts';
import { ApiServer } from './server.ts';
import type { ClientTimes } from './time-limits.ts';

export interface ApiOptions {
  flags: Flags;
  store: Store;
  log: Log;
  monitoring?: Monitoring | undefined;
  /** Without its address the node goes on. */
  isOptional?: boolean;
  /** How often the files of its certificate are read. */
  certificatePollMs?: number;
  /** How long clients may take. */
  times?: ClientTimes;
  /** How long a stop waits for requests under way. */
  stopMs?: number;
}

/** Of the time that systemd gives a daemon the engine has the rest. */
const stopMs = 5000;

/** The Block Storage API of a node. It answers for the whole cluster and keeps nothing. */
export class Api implements Service {
  readonly name = 'api';
  private readonly options: ApiOptions;
  private certificate: ServerCertificate | undefined;
  private authenticator: Authenticator | undefined;
  private expiredRecords: ExpiredRecords | undefined;
  private servers: ApiServer[] = [];
  private served: string[] = [];

  constructor(options: ApiOptions) {
    this.options = options;
  }

  /** Throws ApiAddressTaken, InvalidFlags. */
  async start(): Promise<void> {
    const { flags, log, certificatePollMs: pollMs } = this.options;
    const files = apiTlsFiles(flags);
    const certificate = files && new ServerCertificate(files, { log, ...(pollMs === undefined ? {} : { pollMs }) });
    certificate?.start();
    this.certificate = certificate;
    const authenticator = authenticatorFor(this.options);
    this.authenticator = authenticator;
    if (authStrategy(flags) === 'local') {
      this.expiredRecords = new ExpiredRecords(this.options.store, log);
      await this.expiredRecords.start();
    }
    for (const item of flags.api_listen) {
      const server = new ApiServer({ ...this.options, authenticator, certificate });
      this.servers.push(server);
      try {
        const url = await listen(server, item, certificate ? 'https' : 'http');
        this.served.push(url);
        log.info(`the API is served at ${url}`);
      } catch (thrown) {
        if (!this.options.isOptional) throw thrown;
        const { message, hint } = asError(thrown);
        log.warn(message, { hint });
      }
    }
  }

  async stop(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.close(this.options.stopMs ?? stopMs)));
    this.servers = [];
    await this.expiredRecords?.stop();
    this.certificate?.stop();
    this.authenticator?.close?.();
  }

  /** Where it is served, such as `http://127.0.0.1:8776`. */
  get urls(): readonly string[] {
    return this.served;
  }
}

/** Throws ApiAddressTaken. */
async function listen({ fastify }: ApiServer, item: string, scheme: string): Promise<string> {
  const address = listenAddress(item);
  if (!address) throw errors.invalidFlags([`api_listen has no address and port: ${item}`]);
  try {
    await fastify.listen(address);
    const at = fastify.server.address();
    const port = typeof at === 'object' && at ? at.port : address.port;
    return `${scheme}://${isIPv6(address.host) ? `[${address.host}]` : address.host}:${port}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') throw errors.apiAddressTaken(item);
    throw error;
  }
}
