import { type Hash, UnreadableError } from './hash.ts';

/** Failures to sign in with one name, or from one address. Times are milliseconds since the epoch. */
export interface SignInFailures {
  count: number;
  /** No further attempt before. */
  until: number;
  /** It is forgotten then. */
  expires: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseSignInFailures(hash: Hash): SignInFailures {
  const numbers = [hash['count'], hash['until'], hash['expires']].map((text) =>
    /^\d{1,16}$/.test(text ?? '') ? Number(text) : Number.NaN,
  );
  const [count = Number.NaN, until = Number.NaN, expires = Number.NaN] = numbers;
  if (numbers.some(Number.isNaN)) throw new UnreadableError('has no numbers');
  return { count, until, expires };
}
