import { Agent as PlainAgent, type IncomingMessage, request as requestPlain } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { minTlsVersion } from '../tls-files.ts';

/** Of tokens with the whole catalog of a large installation some hundred KiB. */
const maxAnswerBytes = 4 * 2 ** 20;
const maxConnections = 32;

export interface IdentityRequest {
  method: 'GET' | 'POST';
  /** Below the address of the service. */
  path: string;
  headers: Readonly<Record<string, string>>;
  body?: unknown;
}

export interface IdentityAnswer {
  status: number;
  header: (name: string) => string | undefined;
  text: string;
}

export interface ConnectionOptions {
  url: string;
  /** Of the authority, in PEM; undefined: those of the system. */
  ca: string | undefined;
  timeoutMs: number;
}

/** Requests to an identity service. Redirects are answers as others: a token goes to no other address. */
export class IdentityConnection {
  private readonly url: string;
  private readonly timeoutMs: number;
  private readonly agent: PlainAgent;
  private readonly isTls: boolean;

  constructor({ url, ca, timeoutMs }: ConnectionOptions) {
    this.url = url.replace(/\/+$/, '').replace(/\/v3$/, '');
    this.timeoutMs = timeoutMs;
    this.isTls = this.url.startsWith('https:');
    const options = { keepAlive: true, maxSockets: maxConnections };
    this.agent = this.isTls
      ? new TlsAgent({ ...options, minVersion: minTlsVersion, ...(ca === undefined ? {} : { ca }) })
      : new PlainAgent(options);
  }

  /** Throws whatever keeps it from an answer within the time limit. */
  async send({ method, path, headers, body }: IdentityRequest): Promise<IdentityAnswer> {
    const signal = AbortSignal.timeout(this.timeoutMs);
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const framing = sent ? { 'content-type': 'application/json', 'content-length': sent.length } : {};
    const options = {
      method,
      agent: this.agent,
      signal,
      headers: { accept: 'application/json', ...framing, ...headers },
    };
    const begin = this.isTls ? requestTls : requestPlain;
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const request = begin(`${this.url}/v3${path}`, options, resolve);
        request.on('error', reject);
        request.end(sent);
      });
      const text = await textOf(response);
      return {
        status: response.statusCode ?? 0,
        header: (name) => [response.headers[name]].flat()[0],
        text,
      };
    } catch (error) {
      if (signal.aborted) throw new Error(`no answer within ${this.timeoutMs / 1000} s`, { cause: error });
      throw error;
    }
  }

  close(): void {
    this.agent.destroy();
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response) {
    const data = Buffer.from(part);
    bytes += data.length;
    if (bytes > maxAnswerBytes) {
      response.destroy();
      throw new Error(`an answer of more than ${maxAnswerBytes} bytes`);
    }
    parts.push(data);
  }
  if (!response.complete) throw new Error('an incomplete answer');
  return Buffer.concat(parts).toString('utf8');
}
