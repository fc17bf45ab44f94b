import type { FastifyInstance, FastifyRequest } from 'fastify';
import { errors } from '../../lib/errors.ts';
import { isLoopback } from '../../lib/flags/api-flags.ts';
import type { Monitoring } from '../monitoring/monitoring.ts';
import { monitoringPaths } from '../monitoring/paths.ts';

/** Of a proxy: then the client may be on any machine. */
const proxyHeaders = ['forwarded', 'x-forwarded-for', 'x-real-ip', 'via'];

const paths: ReadonlySet<string> = new Set(monitoringPaths);

/**
 * Serves health and metrics beside the API, without a token: health to everybody, as load balancers need it, metrics to this machine
 * alone. Observes every other request; `callOf`: the name of its call, undefined where it means none.
 */
export function serveMonitoring(
  server: FastifyInstance,
  monitoring: Monitoring,
  callOf: (request: FastifyRequest) => string | undefined,
): void {
  for (const path of monitoringPaths) {
    server.route<{ Querystring: Record<string, unknown> }>({
      method: ['GET', 'HEAD'],
      url: path,
      handler: async (request, reply) => {
        const answer = await monitoring.answer(path, Object.keys(request.query));
        if (!answer || (path === '/metrics' && !isOfThisMachine(request)))
          throw errors.noSuchCall(request.method, path);
        return reply
          .status(answer.status)
          .headers({ 'content-type': answer.type, 'cache-control': 'no-store' })
          .send(answer.text);
      },
    });
  }
  server.addHook('onResponse', (request, reply, done) => {
    if (!paths.has(request.routeOptions.url ?? '')) {
      monitoring.metrics.observeRequest(callOf(request) ?? 'none', reply.statusCode, reply.elapsedTime / 1000);
    }
    done();
  });
}

function isOfThisMachine({ socket, headers }: Pick<FastifyRequest, 'socket' | 'headers'>): boolean {
  return isLoopback(socket.remoteAddress ?? '') && proxyHeaders.every((name) => headers[name] === undefined);
}
