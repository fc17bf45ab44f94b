import { type IncomingMessage, type Server, type ServerResponse, createServer, request } from 'node:http';
import { once } from 'node:events';
import { freePort } from './free-port.ts';

/**
 * A fake compute service in front of an API: it knows every server by its id, as openstackclient asks for it before it attaches a volume,
 * and passes everything else on. The caller disposes of it.
 */
export class ComputeStandIn implements AsyncDisposable {
  readonly url: string;
  private readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.url = `http://127.0.0.1:${port}`;
  }

  static async before(api: string): Promise<ComputeStandIn> {
    const server = createServer((asked, answer) => {
      const [, id] = /\/servers\/([^/?]+)$/.exec(asked.url ?? '') ?? [];
      if (id === undefined) passOn(api, asked, answer);
      else answer.setHeader('content-type', 'application/json').end(JSON.stringify({ server: { id, name: id } }));
    });
    const port = await freePort();
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return new ComputeStandIn(server, port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }
}

function passOn(api: string, asked: IncomingMessage, answer: ServerResponse): void {
  const { method, headers, url = '/' } = asked;
  const passed = request(`${api}${url}`, { method, headers }, (got) => {
    answer.writeHead(got.statusCode ?? 502, got.headers);
    got.pipe(answer);
  });
  passed.on('error', () => answer.destroy());
  asked.pipe(passed);
}
