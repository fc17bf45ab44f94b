import { z } from 'zod';
import { silentLog, type Log } from '../../lib/log.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { Api } from '../../services/api/api.ts';
import { checkAnswer } from './answer-check.ts';
import type { Cluster } from './cluster.ts';

/** An answer of the API; `body` is undefined where there is none. */
export interface ApiAnswer {
  status: number;
  headers: Headers;
  body: unknown;
}

/** What an object of an answer has, for tests that compare single fields. */
export const object = z.record(z.string(), z.unknown());

/** Serves the API on a free port of the loopback interface. The caller stops it. */
export async function startApi(
  cluster: Cluster,
  given: Partial<Record<keyof Flags, string>> = {},
  log: Log = silentLog,
): Promise<{ api: Api; client: ApiClient }> {
  const flags = cluster.flags({ api_listen: '127.0.0.1:0', ...given });
  const api = new Api({ flags, store: await cluster.store(flags), log });
  await api.start();
  const [url = ''] = api.urls;
  return { api, client: new ApiClient(url) };
}

/** Sends requests as clients do; `headers` go with each. */
export class ApiClient {
  readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;

  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    this.url = url;
    this.headers = headers;
  }

  with(headers: Readonly<Record<string, string>>): ApiClient {
    return new ApiClient(this.url, { ...this.headers, ...headers });
  }

  /** `minor`: x of version 3.x. */
  version(minor: number): ApiClient {
    return this.with({ 'OpenStack-API-Version': `volume 3.${minor}` });
  }

  get(path: string): Promise<ApiAnswer> {
    return this.send('GET', path);
  }

  delete(path: string): Promise<ApiAnswer> {
    return this.send('DELETE', path);
  }

  post(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.send('POST', path, body);
  }

  put(path: string, body?: unknown): Promise<ApiAnswer> {
    return this.send('PUT', path, body);
  }

  /** Throws where the answer is not as the OpenAPI document says. */
  async send(method: string, path: string, body?: unknown): Promise<ApiAnswer> {
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const headers = new Headers({ ...json, ...this.headers });
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers,
      redirect: 'manual',
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const { status, headers: answerHeaders } = response;
    const answer: unknown = text === '' ? undefined : JSON.parse(text);
    checkAnswer({ method, path, headers, request: body, status, answerHeaders, answer });
    return { status, headers: answerHeaders, body: answer };
  }
}
