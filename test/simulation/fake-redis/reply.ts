/** What a command answers, before it is known who asked: a client (RESP3) or a script (RESP2 shapes). */
export type Reply = string | number | null | readonly Reply[] | Shaped;

export type Shaped =
  | { kind: 'status'; text: string }
  | { kind: 'error'; text: string }
  /** RESP3: a map. RESP2: one flat array. */
  | { kind: 'map'; entries: readonly (readonly [Reply, Reply])[] }
  /** Members with scores. RESP3: pairs of text and number. RESP2: one flat array of text. */
  | { kind: 'scored'; entries: readonly (readonly [string, number])[] }
  /** What a stream gives. RESP3: a map. RESP2: an array of pairs. */
  | { kind: 'topics'; entries: readonly (readonly [string, Reply])[] }
  | { kind: 'double'; value: number }
  | { kind: 'push'; items: readonly Reply[] };

export const ok: Reply = { kind: 'status', text: 'OK' };
export const failure = (text: string): Reply => ({ kind: 'error', text });

export function isShaped(reply: Reply): reply is Shaped {
  return typeof reply === 'object' && reply !== null && !Array.isArray(reply);
}

/** As a script sees it: without maps and doubles. */
export function forScript(reply: Reply): Reply {
  if (!isShaped(reply)) return Array.isArray(reply) ? reply.map(forScript) : reply;
  switch (reply.kind) {
    case 'map':
      return reply.entries.flatMap((entry) => entry.map(forScript));
    case 'scored':
      return reply.entries.flatMap(([member, score]) => [member, String(score)]);
    case 'topics':
      return reply.entries.map(([topic, entries]) => [topic, forScript(entries)]);
    case 'double':
      return String(reply.value);
    case 'push':
      return reply.items.map(forScript);
    case 'status':
    case 'error':
      break;
  }
  return reply;
}

/** RESP3. */
export function encode(reply: Reply): string {
  if (isShaped(reply)) return encodeShaped(reply);
  if (typeof reply === 'string') return `$${Buffer.byteLength(reply)}\r\n${reply}\r\n`;
  if (typeof reply === 'number') return `:${reply}\r\n`;
  return reply === null ? '_\r\n' : list('*', reply.map(encode));
}

const list = (mark: string, items: readonly string[]) => `${mark}${items.length}\r\n${items.join('')}`;

function encodeShaped(reply: Shaped): string {
  switch (reply.kind) {
    case 'status':
      return `+${reply.text}\r\n`;
    case 'error':
      return `-${reply.text}\r\n`;
    case 'map':
    case 'topics':
      return list(
        '%',
        reply.entries.map(([name, value]) => encode(name) + encode(value)),
      );
    case 'scored':
      return list(
        '*',
        reply.entries.map(([member, score]) => `*2\r\n${encode(member)},${score}\r\n`),
      );
    case 'double':
      return `,${reply.value}\r\n`;
    case 'push':
      break;
  }
  return list('>', reply.items.map(encode));
}
