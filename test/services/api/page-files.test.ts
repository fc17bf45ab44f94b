import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'node:http';
import test from 'ava';
import type { Api } from '../../../services/api/api.ts';
import { type ApiClient, startApi } from '../../support/api.ts';
import { Cluster } from '../../support/cluster.ts';

const directory = join(import.meta.dirname, '../../../services/api/page');
const browser = { accept: 'text/html,application/xhtml+xml,*/*;q=0.8', 'user-agent': 'Mozilla/5.0 (X11; Linux)' };

let cluster: Cluster;
let api: Api;
let client: ApiClient;
test.before(async () => {
  cluster = await Cluster.start();
  ({ api, client } = await startApi(cluster, { api_url: 'http://storage.example:8776/' }));
});
test.after.always(async () => {
  await api.stop();
  await cluster.close();
});

function get(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(`${client.url}${path}`, { headers, redirect: 'manual' });
}

test('a browser gets the page at /, clients of the API the versions', async (t) => {
  const page = await get('/', browser);
  t.is(page.status, 200);
  t.is(page.headers.get('content-type'), 'text/html; charset=utf-8');
  t.is(page.headers.get('vary'), 'Accept');
  t.regex(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self';/);
  t.regex(await page.text(), /<main id="main"/);
  for (const accept of ['*/*', 'application/json', 'text/plain', '']) {
    const { status, headers } = await get('/', { accept });
    t.deepEqual([status, headers.get('vary')], [300, 'Accept'], accept);
  }
});

test('every file of the page is served with its type, and once to a browser that has it', async (t) => {
  const names = await readdir(directory);
  t.true(names.length > 10);
  for (const name of names.filter((one) => !one.endsWith('.d.ts'))) {
    const path = name === 'index.html' ? '/' : `/page/${name}`;
    const file = await get(path, browser);
    t.is(file.status, 200, name);
    t.is(file.headers.get('x-content-type-options'), 'nosniff');
    const again = await get(path, { ...browser, 'if-none-match': file.headers.get('etag') ?? '' });
    t.deepEqual([again.status, await again.text()], [304, ''], name);
  }
  for (const path of ['/page/', '/page/none.js', '/page/..%2fserver.ts', '/page/index.html']) {
    t.is((await get(path, browser)).status, 404, path);
  }
});

test('the page loads nothing of its own from elsewhere', async (t) => {
  const text = await (await get('/', browser)).text();
  const addresses = Array.from(text.matchAll(/(?:src|href)="([^"]+)"/g), ([, address = '']) => address);
  for (const address of addresses) t.true(/^(page\/|#)/.test(address), address);
  t.false(/<script(?! type="module" src=)|<style|style=|onclick=/.test(text));
});

test('pages of other sites are refused, as far as browsers say whose request it is', async (t) => {
  const path = '/v3/volumes';
  const { port } = new URL(client.url);
  const cases: [path: string, headers: Readonly<Record<string, string>>, status: number][] = [
    [path, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
    [path, { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors', origin: 'http://127.0.0.1:1' }, 403],
    [path, { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, 200],
    ['/', { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
    // By a name that its owner has lead here.
    [path, { host: `evil.example:${port}` }, 403],
    [path, { host: `localhost:${port}` }, 200],
    [path, { host: `[::1]:${port}` }, 200],
    [path, { host: 'storage.example:8776' }, 200],
    [path, { host: 'evil.example', 'user-agent': 'python-cinderclient' }, 200],
  ];
  for (const [asked, headers, status] of cases) {
    t.is(await statusOf(asked, { ...browser, ...headers }), status, JSON.stringify(headers));
  }
});

/** fetch() sets some of these headers by itself. */
function statusOf(path: string, headers: Readonly<Record<string, string>>): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(`${client.url}${path}`, { headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });
}
