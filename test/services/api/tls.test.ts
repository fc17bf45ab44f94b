import { chmod, copyFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { type PeerCertificate, TLSSocket, connect } from 'node:tls';
import { readFileSync } from 'node:fs';
import test from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { type Log, silentLog } from '../../../lib/log.ts';
import { Api } from '../../../services/api/api.ts';
import { type CertificateFiles, newAuthority, newCertificate } from '../../support/certificates.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let authority: CertificateFiles;
let first: CertificateFiles;
let second: CertificateFiles;
test.before(async () => {
  cluster = await Cluster.start();
  authority = await newAuthority(cluster.directory);
  first = await newCertificate(cluster.directory, 'first', authority);
  second = await newCertificate(cluster.directory, 'second', authority);
});
test.after.always(() => cluster.close());

interface Served {
  api: Api;
  url: string;
  port: number;
  /** What was logged as a warning or a piece of news. */
  logged: string[];
}

async function serve(files: CertificateFiles, flags: Record<string, string> = {}): Promise<Served> {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const log: Log = { ...silentLog, info: note, warn: note };
  const given = { api_listen: '127.0.0.1:0', api_tls_cert: files.cert, api_tls_key: files.key, ...flags };
  const own = cluster.flags(given);
  const api = new Api({ flags: own, store: await cluster.store(own), log, certificatePollMs: 50 });
  await api.start();
  const [url = ''] = api.urls;
  return { api, url, port: Number(new URL(url).port), logged };
}

/** A client that trusts the authority, and keeps one connection. */
function client(): Agent {
  return new Agent({ ca: readFileSync(authority.cert), keepAlive: true, maxSockets: 1 });
}

interface Answer {
  status: number;
  body: unknown;
  certificate: PeerCertificate;
  port: number;
}

async function ask(agent: Agent, url: string, path = '/v3/volumes'): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}${path}`, { agent }, resolve).on('error', reject);
  });
  const { socket, statusCode: status = 0 } = response;
  if (!(socket instanceof TLSSocket)) throw new Error('no TLS');
  const [certificate, port] = [socket.getPeerCertificate(), socket.localPort ?? 0];
  return { status, body: await json(response), certificate, port };
}

/** Copies of files that a test replaces. */
async function copyOf(files: CertificateFiles, name: string): Promise<CertificateFiles> {
  const copy = { cert: join(cluster.directory, `${name}.pem`), key: join(cluster.directory, `${name}.key`) };
  await replace(copy, files);
  return copy;
}

async function replace(old: CertificateFiles, by: CertificateFiles): Promise<void> {
  await copyFile(by.cert, old.cert);
  await copyFile(by.key, old.key);
}

test('the API is served by TLS, and its links say so', async (t) => {
  const { api, url } = await serve(first);
  t.teardown(() => api.stop());
  t.regex(url, /^https:/);
  const agent = client();
  t.teardown(() => agent.destroy());
  const versions = z.object({ versions: z.array(z.object({ links: z.array(z.object({ href: z.string() })) })) });
  const { body, status } = await ask(agent, url, '/');
  t.is(status, 300);
  t.is(versions.parse(body).versions[0]?.links[0]?.href, `${url}/v3/`);
  t.is((await ask(agent, url)).status, 200);
});

test('a certificate that is replaced is served to new connections; open ones go on', async (t) => {
  const files = await copyOf(first, 'replaced');
  const { api, url, logged } = await serve(files);
  t.teardown(() => api.stop());
  const [old, other] = [client(), client()];
  t.teardown(() => [old, other].forEach((agent) => agent.destroy()));
  const before = await ask(old, url);
  t.is(before.certificate.subject.CN, 'first');
  // For a moment the files do not fit.
  await copyFile(second.cert, files.cert);
  t.is((await ask(old, url)).status, 200);
  await copyFile(second.key, files.key);
  await until(() => logged.some((line) => line.includes('the API has a new certificate')), 'the files were read');
  t.is((await ask(other, url)).certificate.subject.CN, 'second');
  const { port, status } = await ask(old, url);
  t.deepEqual([port, status], [before.port, 200], 'the same connection');
});

test('files that cannot be used leave the certificate as it is, and are reported once', async (t) => {
  const files = await copyOf(first, 'broken');
  const { api, url, logged } = await serve(files);
  t.teardown(() => api.stop());
  const agent = client();
  t.teardown(() => agent.destroy());
  await writeFile(files.cert, 'no certificate');
  await until(() => logged.some((line) => line.includes('has no certificate in PEM format')), 'the file was read');
  t.is((await ask(agent, url)).certificate.subject.CN, 'first');
  await replace(files, second);
  await until(() => logged.some((line) => line.includes('the API has a new certificate')), 'the files were read');
});

test('an API does not start with files that it cannot use', async (t) => {
  const { directory } = cluster;
  const [absent, wrong, locked] = ['absent.pem', 'wrong.pem', 'locked.pem'].map((name) => join(directory, name));
  await writeFile(wrong ?? '', 'hello');
  await execa('openssl', ['pkey', '-in', first.key, '-aes256', '-passout', 'pass:secret', '-out', locked ?? '']);
  for (const [files, problem] of [
    [{ ...first, cert: absent ?? '' }, /api_tls_cert = ".*absent\.pem" cannot be read: it does not exist/],
    [{ ...first, cert: wrong ?? '' }, /api_tls_cert = .* has no certificate in PEM format/],
    [{ ...first, key: wrong ?? '' }, /api_tls_key = .* has no private key in PEM format/],
    [{ ...first, key: locked ?? '' }, /api_tls_key = .* is encrypted: store it without a passphrase/],
    [{ ...first, key: second.key }, /api_tls_key = .* is not the key of the first certificate/],
  ] as const) {
    const error = await t.throwsAsync(serve(files), { code: 'InvalidFlags' });
    t.regex(error?.message ?? '', problem);
  }
  t.throws(() => cluster.flags({ api_tls_cert: first.cert }), { message: /api_tls_key is empty/ });
});

test('a key that others can read, and a certificate that ends or has expired, are reported', async (t) => {
  const open = await copyOf(first, 'open');
  await chmod(open.key, 0o644);
  const expired = await newCertificate(cluster.directory, 'expired', authority, { days: -1 });
  await chmod(expired.key, 0o600);
  for (const [files, problem] of [
    [open, /every user can read the key/],
    [first, /the certificate .* expires at/],
    [expired, /the certificate .* expired at .*: clients refuse it/],
  ] as const) {
    const { api, logged } = await serve(files);
    await api.stop();
    t.true(
      logged.some((line) => problem.test(line)),
      logged.join('; '),
    );
  }
});

test('plain HTTP gets an answer that names TLS', async (t) => {
  const { api, port } = await serve(first);
  t.teardown(() => api.stop());
  const answer = await fetch(`http://127.0.0.1:${port}/v3/volumes`);
  t.is(answer.status, 400);
  t.regex(await answer.text(), /this port speaks TLS, and the request is plain HTTP; use https:/);
  t.is(answer.headers.get('connection'), 'close');
});

test('versions of TLS below 1.2 are refused, and 1.2 is served', async (t) => {
  const { api, port, logged } = await serve(first);
  t.teardown(() => api.stop());
  const options = { host: '127.0.0.1', port, ca: readFileSync(authority.cert) };
  const shake = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string | null>((resolve, reject) => {
      const range = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' } as const;
      const socket = connect({ ...options, ...range }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', reject);
    });
  await t.throwsAsync(shake('TLSv1.1'), { message: /alert|version|protocol/i });
  t.is(await shake('TLSv1.2'), 'TLSv1.2');
  t.is(await shake('TLSv1.3'), 'TLSv1.3');
  t.false(logged.some((line) => line.includes('failed')));
});

test('a stop does not wait for connections that say nothing, nor for handshakes that do not end', async (t) => {
  const { api, port } = await serve(first);
  const silent = connectPlain(port, '127.0.0.1');
  const half = connectPlain(port, '127.0.0.1');
  half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
  const ends = Promise.all([text(silent).catch(() => ''), text(half).catch(() => '')]);
  const agent = client();
  t.is((await ask(agent, `https://127.0.0.1:${port}`)).status, 200);
  const began = performance.now();
  await api.stop();
  t.true(performance.now() - began < 8000);
  t.deepEqual(await ends, ['', '']);
  agent.destroy();
});
