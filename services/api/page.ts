import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type StaticFile, sendFile, staticFile } from './static-file.ts';

const directory = join(import.meta.dirname, 'page');

const types: ReadonlyMap<string, string> = new Map([
  ['.html', 'text/html; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.svg', 'image/svg+xml'],
]);

/** The page runs what it brings along, and asks the node that it is of, alone. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const headers = {
  'content-security-policy': policy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  vary: 'Accept',
};

/** Serves the page at `/` to browsers, and `other` to the clients of the API. The files are kept in memory. */
export function servePage(server: FastifyInstance, other: (request: FastifyRequest) => object): void {
  let page: StaticFile | undefined;
  for (const name of readdirSync(directory)) {
    const type = types.get(extname(name));
    if (type === undefined) continue;
    const file = staticFile(readFileSync(join(directory, name)), type, headers);
    if (name === 'index.html') page = file;
    else server.get(`/page/${name}`, (request, reply) => sendFile(request, reply, file));
  }
  server.get('/', (request, reply) => {
    if (page && isForBrowser(request)) return sendFile(request, reply, page);
    return reply.status(300).header('vary', 'Accept').send(other(request));
  });
}

/** Clients of the API accept JSON or anything; a browser names HTML. */
function isForBrowser({ headers: { accept = '' } }: FastifyRequest): boolean {
  return /(?:^|,)\s*text\/html\b/i.test(accept);
}
