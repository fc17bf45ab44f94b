import { errors } from '../../lib/errors.ts';

/**
 * Returns what a document of JSON has. Throws SyntaxError; InvalidRequest for a key `__proto__`, which a schema would pass over in silence:
 * what it names is not what would be read back.
 */
export function parseJson(text: string): unknown {
  return mayHavePrototype.test(text) ? JSON.parse(text, withoutPrototype) : JSON.parse(text);
}

/** Also where letters of the key are written as \u0070. */
const mayHavePrototype = /__proto__|\\u00/;

function withoutPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw errors.invalidRequest(['no key may be __proto__']);
  return value;
}
