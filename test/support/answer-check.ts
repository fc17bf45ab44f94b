import { blockStorageDocument } from '../../services/api/openapi/block-storage.ts';
import { identityDocument } from '../../services/api/openapi/identity.ts';
import { DocumentCheck, type Exchange } from './document-check.ts';

const checks = [
  new DocumentCheck(blockStorageDocument(), { prefix: '/v3/', hasProjects: true }),
  new DocumentCheck(identityDocument(), { prefix: '/identity/v3/', hasProjects: false }),
];

/** Throws where an answer is not as its OpenAPI document says. */
export function checkAnswer(exchange: Exchange): void {
  const problem = problemOf(exchange);
  if (problem === undefined) return;
  const { method, path, status, answer } = exchange;
  throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)?.slice(0, 2000)}: ${problem}`);
}

/** Returns how an answer differs from its OpenAPI document; undefined where it does not, or where none is about it. */
export function problemOf(exchange: Exchange): string | undefined {
  return checks.find((check) => check.isAbout(exchange.path))?.problemOf(exchange);
}
