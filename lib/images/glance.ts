import { Readable } from 'node:stream';
import { z } from 'zod';
import { type BlockstoreError, errors } from '../errors.ts';
import { type Image, imageSchema } from './image.ts';
import type { ImagePage, ImageStore, NewImage } from './store.ts';

/** How long a service may take to begin an answer. */
const answerMs = 60_000;
const pageSchema = z.object({ images: z.array(imageSchema), next: z.string().optional() });

export interface GlanceOptions {
  /** With the scheme, without `/v2`. */
  url: string;
  /** Returns what is sent as X-Auth-Token; '' = nothing. */
  token: () => Promise<string>;
}

/** An image service that speaks the Images v2 API, such as OpenStack's Glance. */
export class Glance implements ImageStore {
  private readonly url: string;
  private readonly token: () => Promise<string>;

  constructor({ url, token }: GlanceOptions) {
    this.url = url.replace(/\/+$/, '').replace(/\/v2$/, '');
    this.token = token;
  }

  async show(id: string): Promise<Image> {
    const response = await this.request('GET', pathOf(id));
    if (response.status === 404) throw errors.imageNotFound(id, this.url);
    return this.parsed(response, imageSchema);
  }

  async named(name: string): Promise<readonly Image[]> {
    // What follows "in:" is a list, in which quotes keep a comma in a name.
    const value = name.startsWith('in:') ? `in:"${name}"` : name;
    const filter = new URLSearchParams({ name: value, limit: '2' });
    return (await this.parsed(await this.request('GET', `/v2/images?${filter.toString()}`), pageSchema)).images;
  }

  async list({ limit, marker }: { limit: number; marker?: string }): Promise<ImagePage> {
    const query = new URLSearchParams({ limit: String(limit), sort: 'created_at:asc', ...(marker ? { marker } : {}) });
    const { images, next } = await this.parsed(await this.request('GET', `/v2/images?${query.toString()}`), pageSchema);
    const last = images.at(-1);
    return { images, ...(next !== undefined && last ? { marker: last.id } : {}) };
  }

  async download(id: string, from: number, signal?: AbortSignal): Promise<Readable> {
    const headers = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await this.request('GET', `${pathOf(id)}/file`, { headers, signal });
    const { status, body } = response;
    if (status === 404) throw errors.imageNotFound(id, this.url);
    if (status === 204 || status === 403) throw errors.imageNotActive(id, 'without data');
    if (status !== (from > 0 ? 206 : 200) || body === null) throw await this.refusal(response);
    return Readable.fromWeb(body);
  }

  async create({ id, name, diskFormat, minDisk = 0 }: NewImage): Promise<Image> {
    const body = {
      name,
      disk_format: diskFormat,
      container_format: 'bare',
      min_disk: minDisk,
      ...(id === undefined ? {} : { id }),
    };
    const headers = { 'content-type': 'application/json' };
    const response = await this.request('POST', '/v2/images', { headers, body: JSON.stringify(body) });
    if (response.status === 409) throw errors.imageExists(id ?? name);
    return this.parsed(response, imageSchema, 201);
  }

  async upload(id: string, data: Readable, signal?: AbortSignal): Promise<void> {
    const headers = { 'content-type': 'application/octet-stream' };
    const body = Readable.toWeb(data);
    // The answer comes after the last byte: no limit but the caller's.
    const response = await this.request('PUT', `${pathOf(id)}/file`, { headers, body, signal, answerMs: 0 });
    if (response.status === 404) throw errors.imageNotFound(id, this.url);
    if (response.status === 409) throw errors.imageExists(id);
    if (response.status !== 204) throw await this.refusal(response);
  }

  async remove(id: string): Promise<void> {
    const response = await this.request('DELETE', pathOf(id));
    if (response.status === 403) throw errors.imageProtected(id);
    if (response.status !== 204 && response.status !== 404) throw await this.refusal(response);
  }

  private async request(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const { headers = {}, body, signal, answerMs: limitMs = answerMs } = options;
    const token = await this.token();
    const late = new AbortController();
    const tooLate = () => late.abort(new Error(`no answer within ${limitMs / 1000} s`));
    const timer = limitMs > 0 ? setTimeout(tooLate, limitMs) : undefined;
    try {
      return await fetch(`${this.url}${path}`, {
        method,
        headers: { ...headers, ...(token === '' ? {} : { 'x-auth-token': token }) },
        signal: signal ? AbortSignal.any([late.signal, signal]) : late.signal,
        // The token is for this service alone.
        redirect: 'error',
        ...(body === undefined ? {} : { body, duplex: 'half' }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw errors.imageServiceUnavailable(this.url, reasonOf(error));
    } finally {
      clearTimeout(timer);
    }
  }

  private async parsed<T>(response: Response, schema: z.ZodType<T>, status = 200): Promise<T> {
    if (response.status !== status) throw await this.refusal(response);
    const answer: unknown = await response.json().catch((error: unknown) => {
      throw errors.imageServiceUnavailable(this.url, reasonOf(error));
    });
    const result = schema.safeParse(answer);
    if (!result.success) throw errors.answerUnreadable(this.url, z.prettifyError(result.error));
    return result.data;
  }

  private async refusal(response: Response): Promise<BlockstoreError> {
    await response.body?.cancel();
    const { status } = response;
    return errors.imageServiceUnavailable(
      this.url,
      status === 401 ? 'it refuses the token (HTTP 401)' : `HTTP ${status}`,
    );
  }
}

interface RequestOptions {
  headers?: Readonly<Record<string, string>>;
  body?: string | ReadableStream;
  signal?: AbortSignal | undefined;
  /** 0: without a limit. */
  answerMs?: number;
}

function pathOf(id: string): string {
  return `/v2/images/${encodeURIComponent(id)}`;
}

/** fetch() itself says no more than that it failed. */
function reasonOf(error: unknown): string {
  const { cause = error } = error instanceof Error ? error : {};
  return cause instanceof Error ? cause.message : String(cause);
}
