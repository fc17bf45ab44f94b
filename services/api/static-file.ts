import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A document that is the same for everybody, in memory. */
export interface StaticFile {
  body: Buffer;
  headers: Readonly<Record<string, string>>;
  etag: string;
}

/** `type`: its media type. */
export function staticFile(
  content: string | Buffer,
  type: string,
  headers: Readonly<Record<string, string>> = {},
): StaticFile {
  const body = Buffer.from(content);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  // A client asks each time whether it has changed: with the next version of the daemon it has.
  return { body, etag, headers: { 'content-type': type, 'cache-control': 'no-cache', etag, ...headers } };
}

/** Answers 304 to a client that has it. */
export function sendFile(request: FastifyRequest, reply: FastifyReply, file: StaticFile): FastifyReply {
  void reply.headers(file.headers);
  const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, ''));
  return known?.includes(file.etag) ? reply.status(304).send() : reply.send(file.body);
}
