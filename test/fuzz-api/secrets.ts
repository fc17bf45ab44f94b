import type { Json } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';

const letters = 'A,B,C,D,a,b,c,d,0,1,2,3,-,_'.split(',');

/** Passwords, secrets and texts of tokens in requests, and no other text of them, have this form. */
export const secretForm = /Hush[0-9a-f]{8}|bst_[\w-]{8}/;

/** Returns a password that is accepted. */
export function plainSecret(random: Random): string {
  return `Hush${random.uuid().slice(0, 8)}`;
}

/** Returns a password or a secret that nobody has. */
export function newSecret(random: Random): string {
  const text = plainSecret(random);
  const end = random.pick([
    '',
    '',
    'é😀',
    '\u0000',
    '\r\nX: 1',
    '\uD800',
    "' OR 1=1 --",
    'x'.repeat(244),
    'x'.repeat(5000),
  ]);
  return random.chance(0.6) ? text : `${text}${end ?? ''}`;
}

/** The same where a text is expected, perhaps as something else. */
export function misplacedSecret(random: Random): Json {
  const secret = newSecret(random);
  return random.pick<Json>([[secret], { password: secret }, { [secret.slice(0, 12)]: null }, null]) ?? null;
}

/** Returns a token that nobody has; `known`: one that somebody has or had. */
export function forgedToken(random: Random, known: string): string {
  const unknown = Array.from({ length: 86 }, () => random.pick(letters) ?? '').join('');
  const middle = random.between(4, Math.max(4, known.length - 2));
  return (
    random.pick([
      '',
      `bst_${unknown}`,
      `bst_${unknown}x`,
      'bst_',
      newSecret(random).replace(/[^\w]/g, ''),
      `${known}A`,
      known.slice(0, -4),
      `${known.slice(0, middle)}${known[middle] === 'A' ? 'B' : 'A'}${known.slice(middle + 1)}`,
      `${known}, ${known}`,
    ]) ?? ''
  );
}
