import type { FastifyInstance } from 'fastify';
import { calls } from '../calls/index.ts';
import { type StaticFile, sendFile, staticFile } from '../static-file.ts';
import { openApiDocument } from './document.ts';

let made: StaticFile | undefined;

/** Made when it is asked for first: few daemons are. */
function documentFile(): StaticFile {
  made ??= staticFile(JSON.stringify(openApiDocument(calls)), 'application/json; charset=utf-8');
  return made;
}

/** It describes the API of every installation: nobody has to say who asks. */
export function serveOpenApi(server: FastifyInstance): void {
  server.get('/v3/openapi.json', (request, reply) => sendFile(request, reply, documentFile()));
}
