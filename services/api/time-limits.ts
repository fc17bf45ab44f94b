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

/** Requests that wait for their work. */
export class Waits {
  private readonly waiting = new Set<(error: BlockstoreError) => void>();

  /** Returns what the work returns. After that time throws the error; the work goes on, and nobody gets what it returns. */
  async within<T>(ms: number, work: Promise<T>, error: () => BlockstoreError): Promise<T> {
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(error()), ms);
    this.waiting.add(reject);
    try {
      return await Promise.race([work, promise]);
    } finally {
      clearTimeout(timer);
      this.waiting.delete(reject);
    }
  }

  /** All that wait throw that error now. */
  end(error: BlockstoreError): void {
    for (const reject of this.waiting) reject(error);
  }
}
