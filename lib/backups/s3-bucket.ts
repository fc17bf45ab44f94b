import { setTimeout as pause } from 'node:timers/promises';
import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { BlockstoreError, errors } from '../errors.ts';

export interface S3Options {
  /** `https://host/bucket`, or with a beginning of the names of objects: `https://host/bucket/beginning`. */
  url: string;
  region: string;
  /** Read anew for each request. */
  credentials: () => Promise<{ accessKeyId: string; secretAccessKey: string }>;
  /** The first pause before a repetition. */
  pauseMs?: number;
}

/** How long a service may take for one request, which has 32 MiB at most. */
const answerMs = 300_000;
const tries = 5;

/** Objects of one bucket of a service that speaks the S3 protocol, by names in the path. A request that fails is repeated. */
export class S3Bucket {
  readonly place: string;
  private readonly origin: string;
  private readonly bucket: string;
  /** What the names of all objects begin with. */
  private readonly beginning: string;
  private readonly options: S3Options;

  constructor(options: S3Options) {
    const { origin, pathname } = new URL(options.url);
    const [bucket = '', ...words] = pathname.split('/').filter(Boolean);
    this.place = options.url.replace(/\/+$/, '');
    this.origin = origin;
    this.bucket = bucket;
    this.beginning = words.map((word) => `${word}/`).join('');
    this.options = options;
  }

  /** Undefined where there is none. `range`: bytes of it. */
  async get(name: string, range?: Range): Promise<Buffer | undefined> {
    const headers = range ? { range: `bytes=${range.from}-${range.from + range.count - 1}` } : {};
    return this.repeated('GET', this.pathOf(name), { headers, signal: range?.signal }, async (response) => {
      if (response.status === 404) return absent(response);
      if (response.status === 416) return Buffer.alloc(0);
      if (response.status !== (range ? 206 : 200)) return refusal(response);
      return Buffer.from(await response.arrayBuffer());
    });
  }

  /** Whole or not at all: the service compares the data with their checksum. */
  async put(name: string, body: Buffer, signal?: AbortSignal): Promise<void> {
    await this.repeated('PUT', this.pathOf(name), { body, signal }, (response) => done(response, [200]));
  }

  /** An absent object is success. */
  async delete(name: string): Promise<void> {
    await this.repeated('DELETE', this.pathOf(name), {}, (response) => done(response, [200, 204, 404]));
  }

  /** The names of all objects that begin so. */
  names(beginning: string): Promise<string[]> {
    return this.listed({ prefix: this.beginning + beginning }, 'Key');
  }

  /** What is before the first slash in the names of objects. */
  async folders(): Promise<string[]> {
    const found = await this.listed({ prefix: this.beginning, delimiter: '/' }, 'Prefix');
    return found.filter((name) => name.endsWith('/')).map((name) => name.slice(0, -1));
  }

  private async listed(query: Record<string, string>, element: 'Key' | 'Prefix'): Promise<string[]> {
    const names: string[] = [];
    let token: string | undefined;
    do {
      const all = { 'list-type': '2', ...query, ...(token === undefined ? {} : { 'continuation-token': token }) };
      const path = `/${this.bucket}?${new URLSearchParams(all).toString()}`;
      const text: string = await this.repeated('GET', path, {}, async (response) =>
        response.status === 200 ? response.text() : refusal(response),
      );
      const { parseXml, descendants } = await xml();
      const answer = parseXml(text);
      if (answer?.name !== 'ListBucketResult') throw errors.answerUnreadable(this.place, text);
      const textsOf = (name: string) => descendants(answer, name).map(({ text: own }) => own);
      names.push(...textsOf(element).map((name) => name.slice(this.beginning.length)));
      [token] = textsOf('NextContinuationToken');
    } while (token !== undefined);
    return names;
  }

  private pathOf(name: string): string {
    return `/${this.bucket}/${this.beginning}${name}`;
  }

  /** `read` returns what the answer has, or why it is none. */
  private async repeated<T>(
    method: string,
    path: string,
    request: Request,
    read: (response: Response) => Promise<T | Refused>,
  ): Promise<T> {
    const { signal } = request;
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted();
      const answer = await this.once(method, path, request, read).catch((error: unknown) => {
        signal?.throwIfAborted();
        if (error instanceof BlockstoreError) throw error;
        return new Refused(reasonOf(error));
      });
      if (!(answer instanceof Refused)) return answer;
      if (!answer.mayPass || attempt === tries) throw errors.backupStoreUnavailable(this.place, answer.reason);
      await pause(attempt ** 2 * (this.options.pauseMs ?? 1000), undefined, signal ? { signal } : {});
    }
  }

  private async once<T>(
    method: string,
    path: string,
    { headers = {}, body, signal }: Request,
    read: (response: Response) => Promise<T>,
  ): Promise<T> {
    const { region, credentials } = this.options;
    const checksum = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const signer = new AwsV4Signer({
      method,
      url: this.origin + path,
      service: 's3',
      region,
      headers: { ...headers, 'x-amz-content-sha256': checksum },
      ...(await credentials()),
    });
    const signed = await signer.sign();
    const late = AbortSignal.timeout(answerMs);
    const options = {
      method,
      headers: signed.headers,
      signal: signal ? AbortSignal.any([late, signal]) : late,
      // What is signed is for this service alone.
      redirect: 'error',
    } as const;
    return read(await fetch(signed.url, body ? { ...options, body: new Uint8Array(body) } : options));
  }
}

interface Range {
  from: number;
  count: number;
  signal: AbortSignal;
}

interface Request {
  headers?: Readonly<Record<string, string>>;
  body?: Buffer;
  signal?: AbortSignal | undefined;
}

/** Why there is no answer. */
class Refused {
  readonly reason: string;
  readonly mayPass: boolean;

  constructor(reason: string, mayPass = true) {
    this.reason = reason;
    this.mayPass = mayPass;
  }
}

async function done(response: Response, statuses: readonly number[]): Promise<Refused | undefined> {
  if (!statuses.includes(response.status)) return refusal(response);
  await response.arrayBuffer(); // the connection is free then
  return undefined;
}

/** Undefined where it is the object alone that does not exist. */
async function absent(response: Response): Promise<Refused | undefined> {
  const code = await codeIn(await response.text());
  return code === 'NoSuchBucket' ? new Refused('the bucket does not exist', false) : undefined;
}

async function refusal(response: Response): Promise<Refused> {
  const { status } = response;
  const code = await codeIn(await response.text());
  const mayPass = status >= 500 || status === 429 || status === 408;
  return new Refused(`HTTP ${status}${code === undefined ? '' : `, ${code}`}`, mayPass);
}

async function codeIn(text: string): Promise<string | undefined> {
  const { parseXml, descendants } = await xml();
  const answer = parseXml(text);
  return answer && descendants(answer, 'Code')[0]?.text;
}

/** Loaded on demand: most nodes have no bucket. */
const xml = () => import('../xml.ts');

/** fetch() itself says no more than that it failed. */
function reasonOf(error: unknown): string {
  const { cause = error } = error instanceof Error ? error : {};
  return cause instanceof Error ? cause.message : String(cause);
}
