import type { FastifyInstance } from 'fastify';
import type { BlockstoreError } from '../../lib/errors.ts';

/** How long clients may take. */
export interface ClientTimes {
  /** For the header of a request, and for all of it. */
  headerMs: number;
  requestMs: number;
  /** How often that is checked. */
  checkMs: number;
  /** For reading an answer, besides what its size takes. */
  answerMs: number;
  /** A client that reads its answer more slowly is cut off. */
  answerBytesPerMs: number;
}

export const clientTimes: ClientTimes = {
  headerMs: 15_000,
  requestMs: 30_000,
  checkMs: 2000,
  answerMs: 30_000,
  answerBytesPerMs: 32,
};

/** Cuts off clients that do not read their answers: each would keep its answer in memory. */
export function limitSlowReaders(server: FastifyInstance, { answerMs, answerBytesPerMs }: ClientTimes): void {
  server.addHook('onSend', async (_request, { raw }, payload) => {
    const bytes = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
    const timer = setTimeout(() => raw.destroy(), answerMs + bytes / answerBytesPerMs);
    timer.unref();
    raw.once('close', () => clearTimeout(timer));
  });
}

/** Returns what the work returns. After that time throws the error; the work goes on, and nobody gets what it returns. */
export async function withinTime<T>(ms: number, work: Promise<T>, error: () => BlockstoreError): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(error()), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
