import { Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { FuzzRequest } from './requests.ts';

/** An answer as it came; a `failure` in place of one that did not. */
export type FuzzAnswer =
  | { kind: 'answer'; status: number; headers: Headers; body: string; ms: number }
  | { kind: 'failure'; reason: string };

/** A request that is not answered within this time hangs. */
const limitMs = 30_000;

/** Sends requests as they are, without what a browser or a library would correct. */
export class Sender {
  private readonly agent: Agent;
  private readonly url: URL;

  constructor(url: string, concurrency: number) {
    this.url = new URL(url);
    this.agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  }

  close(): void {
    this.agent.destroy();
  }

  async send({ method, path, headers, body, from }: FuzzRequest): Promise<FuzzAnswer> {
    const began = performance.now();
    const { hostname, port } = this.url;
    // Without it the body would be taken for the next request.
    const framed = body === undefined ? headers : { ...headers, 'content-length': Buffer.byteLength(body) };
    const signal = AbortSignal.timeout(limitMs);
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const origin = from === undefined ? { agent: this.agent } : { agent: false, localAddress: from };
        const sent = httpRequest({ hostname, port, method, path, headers: framed, signal, ...origin }, resolve);
        sent.on('error', reject);
        sent.end(body);
      });
      const received = await text(response);
      const answerHeaders = new Headers();
      for (const [name, value] of Object.entries(response.headers)) answerHeaders.set(name, [value].flat().join(', '));
      const { statusCode: status = 0 } = response;
      return { kind: 'answer', status, headers: answerHeaders, body: received, ms: performance.now() - began };
    } catch (error) {
      return { kind: 'failure', reason: signal.aborted ? `no answer within ${limitMs} ms` : describe(error) };
    }
  }

  /** Sends bytes over a connection of their own. Returns what came until the server closed it, or said that it continues. */
  async sendRaw(bytes: string | Buffer): Promise<FuzzAnswer> {
    const began = performance.now();
    const socket = connect({ host: this.url.hostname, port: Number(this.url.port) });
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`no answer within ${limitMs} ms`)));
    try {
      const body = await new Promise<string>((resolve, reject) => {
        let received = '';
        socket.on('data', (data: Buffer) => {
          received += data.toString('latin1');
          // The answer is whole, and the server waits for the next request.
          if (/^connection: keep-alive/im.test(received)) resolve(received);
        });
        socket.on('close', () => resolve(received));
        socket.on('error', (error) => (isReset(error) ? resolve(received) : reject(error)));
        socket.write(bytes);
        // Otherwise a server waits for the rest of a request.
        setTimeout(() => socket.end(), 200);
      });
      const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(body)?.[1] ?? 0);
      return { kind: 'answer', status, headers: new Headers(), body, ms: performance.now() - began };
    } catch (error) {
      return { kind: 'failure', reason: describe(error) };
    } finally {
      socket.destroy();
    }
  }
}

/** The server is free to close the connection of a request that it does not understand. */
function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
