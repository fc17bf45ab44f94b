import { once } from 'node:events';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { S3Backups } from '../../../lib/backups/s3.ts';
import { S3Bucket } from '../../../lib/backups/s3-bucket.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { backupOf } from './backup-of.ts';

/** What a service does wrong: an HTTP server of a test's own, which remembers objects and nothing else. */
class FakeService {
  readonly objects = new Map<string, Buffer>();
  /** Answers in place of the next requests; undefined: its own. */
  readonly faults: (((response: ServerResponse) => void) | undefined)[] = [];
  requests = 0;
  private readonly server = createServer((request, response) => void this.answer(request, response));

  async start(t: ExecutionContext): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    t.teardown(() => {
      this.server.closeAllConnections();
      this.server.close();
    });
    const address = this.server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    const { port }: AddressInfo = address;
    return `http://127.0.0.1:${port}/bucket`;
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const body = Buffer.concat(await Array.fromAsync<Buffer>(request));
    const fault = this.faults.shift();
    if (fault) return fault(response);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://service');
    const name = pathname.slice('/bucket/'.length);
    if (searchParams.has('list-type')) {
      const names = [...this.objects.keys()].filter((one) => one.startsWith(searchParams.get('prefix') ?? ''));
      return void response.end(pageOf(names, searchParams.get('continuation-token')));
    }
    if (request.method === 'PUT') this.objects.set(name, body);
    if (request.method === 'DELETE') this.objects.delete(name);
    const found = this.objects.get(name);
    if (request.method !== 'GET') return void response.end();
    if (!found) response.statusCode = 404;
    response.end(found ?? '<Error><Code>NoSuchKey</Code></Error>');
  }
}

/** Two names a page. */
function pageOf(names: readonly string[], token: string | null): string {
  const begin = Number(token ?? 0);
  const next = begin + 2 < names.length ? `<NextContinuationToken>${begin + 2}</NextContinuationToken>` : '';
  const keys = names
    .toSorted()
    .slice(begin, begin + 2)
    .map((name) => `<Contents><Key>${name}</Key></Contents>`);
  return `<?xml version="1.0"?><ListBucketResult>${next}${keys.join('')}</ListBucketResult>`;
}

async function started(t: ExecutionContext): Promise<{ service: FakeService; bucket: S3Bucket }> {
  const service = new FakeService();
  const credentials = async () => ({ accessKeyId: 'key', secretAccessKey: 'secret' });
  return { service, bucket: new S3Bucket({ url: await service.start(t), region: 'r', credentials, pauseMs: 1 }) };
}

const busy = (response: ServerResponse) => void response.writeHead(503).end('<Error><Code>SlowDown</Code></Error>');
const broken = (response: ServerResponse) => void response.destroy();
const cut = (response: ServerResponse) => {
  response.writeHead(200, { 'content-length': '1000' });
  response.write('half');
  setImmediate(() => response.destroy());
};

test('a request that the service could not answer, or answered in part, is repeated', async (t) => {
  const { service, bucket } = await started(t);
  const data = Buffer.from('whole');
  service.faults.push(busy, broken);
  await bucket.put('one', data);
  service.faults.push(cut, busy);
  t.deepEqual(await bucket.get('one'), data);
  t.is(service.requests, 6);
  service.faults.push(busy);
  await bucket.delete('one');
  t.is(await bucket.get('one'), undefined);
});

test('after five times the error says why, and a refusal is not repeated', async (t) => {
  const { service, bucket } = await started(t);
  service.faults.push(busy, busy, busy, busy, busy);
  await t.throwsAsync(bucket.put('one', Buffer.from('data')), {
    code: 'BackupStoreUnavailable',
    message: /HTTP 503, SlowDown/,
  });
  t.is(service.requests, 5);
  service.faults.push((response) => void response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>'));
  await t.throwsAsync(bucket.get('one'), { code: 'BackupStoreUnavailable', message: /HTTP 403, AccessDenied/ });
  t.is(service.requests, 6);
});

test('a backup whose deletion is interrupted is there, or can be deleted by its id', async (t) => {
  const { service, bucket } = await started(t);
  const store = new S3Backups(bucket);
  const { id, ...rest } = backupOf();
  await store.create({ id, ...rest });
  service.faults.push(undefined, undefined, undefined, busy, busy, busy, busy, busy);
  await t.throwsAsync(store.remove(id), { code: 'BackupStoreUnavailable' });
  t.is((await store.show(id)).status, 'available');
  // Here it ended at once.
  await bucket.put(`${id}/leaving.json`, Buffer.from('{}'));
  await bucket.delete(`${id}/backup.json`);
  await bucket.put(`${id}/data-0`, Buffer.from('data'));
  t.true(await store.remove(id));
  t.is(service.objects.size, 0);
});

test('the removal of a backup looks at those alone that begin with it', async (t) => {
  const { service, bucket } = await started(t);
  const store = new S3Backups(bucket);
  const requestsOf = async () => {
    const first = backupOf();
    const second = backupOf({ parent: first.id });
    await store.create(first);
    await store.create(second);
    service.requests = 0;
    await t.throwsAsync(store.remove(first.id), { code: 'BackupNeeded', message: new RegExp(second.id) });
    await store.remove(second.id);
    await store.remove(first.id);
    return service.requests;
  };
  const alone = await requestsOf();
  t.is(service.objects.size, 0);
  await Promise.all(Array.from({ length: 30 }, () => store.create(backupOf())));
  t.is(await requestsOf(), alone);
});

test('addresses with secrets, or of another form than requests have, are refused', (t) => {
  const urlIn = (backup_s3_url: string) => loadFlags({ embedded: { backup_s3_url } }).flags.backup_s3_url;
  t.is(urlIn('https://s3:7480/backups/of/cluster-1/'), 'https://s3:7480/backups/of/cluster-1/');
  const wrong = [
    'https://s3',
    'https://:secret@s3/b',
    'https://s3/b?x=1',
    'https://s3/my%20b',
    'https://s3/a+b',
    'ftp://s3/b',
  ];
  for (const url of wrong) t.throws(() => urlIn(url), { code: 'InvalidFlags' }, url);
});

test('long lists come in pages; one that is none is an error', async (t) => {
  const { service, bucket } = await started(t);
  for (const name of ['a/1', 'a/2', 'b/1', 'b/2', 'c/1']) service.objects.set(name, Buffer.from('x'));
  t.deepEqual(await bucket.names(''), ['a/1', 'a/2', 'b/1', 'b/2', 'c/1']);
  service.faults.push((response) => void response.end('<html>'));
  await t.throwsAsync(bucket.names(''), { code: 'AnswerUnreadable' });
});

test('a request ends with its signal, also where the service says nothing', async (t) => {
  const { service, bucket } = await started(t);
  const stopping = new AbortController();
  service.faults.push(() => stopping.abort(new Error('stopped')));
  await t.throwsAsync(bucket.put('one', Buffer.from('data'), stopping.signal), { message: 'stopped' });
});
