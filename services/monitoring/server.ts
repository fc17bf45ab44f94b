import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { asError, errors } from '../../lib/errors.ts';
import { listenAddress } from '../../lib/flags/api-flags.ts';
import type { Log } from '../../lib/log.ts';
import type { Service } from '../../lib/service.ts';
import type { Monitoring } from './monitoring.ts';

/** Requests of monitoring have no body and few headers. */
const limits = { requestTimeout: 10_000, headersTimeout: 10_000, maxHeaderSize: 8192 };
const maxConnections = 64;

/** Serves health and metrics at addresses of their own, also while the node starts. */
export class MonitoringServer implements Service {
  readonly name = 'monitoring';
  private readonly addresses: readonly string[];
  private readonly monitoring: Monitoring;
  private readonly log: Log;
  private servers: Server[] = [];
  private served: string[] = [];

  constructor(addresses: readonly string[], monitoring: Monitoring, log: Log) {
    this.addresses = addresses;
    this.monitoring = monitoring;
    this.log = log;
  }

  /** Throws MetricsNotServed. */
  async start(): Promise<void> {
    for (const address of this.addresses) {
      const server = createServer(limits, (request, response) => void this.serve(request, response));
      server.maxConnections = maxConnections;
      await listen(server, address);
      this.servers.push(server);
      const at = server.address();
      const port = typeof at === 'object' && at ? at.port : 0;
      this.served.push(`http://${address.replace(/:0$/, `:${port}`)}`);
      this.log.info(`health and metrics are served at ${this.served.at(-1)}`);
    }
  }

  async stop(): Promise<void> {
    for (const server of this.servers.splice(0)) {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    }
  }

  /** Where they are served, such as `http://192.0.2.7:9776`. */
  get urls(): readonly string[] {
    return this.served;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume(); // nobody reads a body
    try {
      await this.answer(request, response);
    } catch (error) {
      this.log.warn(`a request for metrics failed: ${asError(error).message}`);
      response.writeHead(500).end();
    }
  }

  private async answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
      return;
    }
    const { pathname, searchParams } = URL.parse(url, 'http://localhost') ?? { pathname: '', searchParams: new Map() };
    const answer = await this.monitoring.answer(pathname, searchParams.keys());
    if (!answer) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(answer.status, { 'content-type': answer.type, 'cache-control': 'no-store' });
    response.end(method === 'HEAD' ? undefined : answer.text);
  }
}

/** Throws MetricsNotServed. */
async function listen(server: Server, item: string): Promise<void> {
  const address = listenAddress(item);
  if (!address) throw errors.invalidFlags([`metrics_listen has no address and port: ${item}`]);
  try {
    server.listen(address);
    await once(server, 'listening');
  } catch (error) {
    throw errors.metricsNotServed(item, asError(error).message);
  }
}
