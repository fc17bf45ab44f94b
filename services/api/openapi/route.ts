import type { FastifyInstance } from 'fastify';
import { type StaticFile, sendFile, staticFile } from '../static-file.ts';
import type { JsonObject } from './json-schema.ts';

/** A document is made when it is asked for first: few daemons are. It describes every installation: nobody has to say who asks. */
export function serveOpenApi(server: FastifyInstance, path: string, documentOf: () => JsonObject): void {
  let made: StaticFile | undefined;
  server.get(path, (request, reply) => {
    made ??= staticFile(JSON.stringify(documentOf()), 'application/json; charset=utf-8');
    return sendFile(request, reply, made);
  });
}
