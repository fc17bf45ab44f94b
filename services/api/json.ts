/**
 * Returns what a document of JSON has. Throws SyntaxError, also for a key `__proto__`, which a schema would pass over in silence: what it
 * names is not what would be read back.
 */
export function parseJson(text: string): unknown {
  return text.includes('__proto__') ? JSON.parse(text, withoutPrototype) : JSON.parse(text);
}

function withoutPrototype(key: string, value: unknown): unknown {
  if (key === '__proto__') throw new SyntaxError('a key must not be __proto__');
  return value;
}
