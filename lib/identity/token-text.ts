import { createHash, randomBytes } from 'node:crypto';

const prefix = 'bst_';
const secretBytes = 32;
const idBytes = 16;
const none = '0'.repeat(2 * idBytes);

/** Whose a token says to be: its text has the ids, so that one round trip reads all records that decide whether it is valid. */
export interface TokenClaims {
  user: string;
  /** '' = none. */
  project: string;
  /** '' = none. */
  credential: string;
}

/** Returns a token with 256 random bits. */
export function newTokenText({ user, project, credential }: TokenClaims): string {
  const ids = [user, project === '' ? none : project, ...(credential === '' ? [] : [credential])];
  return (
    prefix + Buffer.concat([randomBytes(secretBytes), ...ids.map((id) => Buffer.from(id, 'hex'))]).toString('base64url')
  );
}

/** Returns what a token claims, and the id of its record; undefined where it has not the form of one. */
export function parseTokenText(text: string): (TokenClaims & { id: string }) | undefined {
  if (text.length > 200 || !/^bst_[\w-]+$/.test(text)) return undefined;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64url');
  const ids = bytes.subarray(secretBytes).toString('hex');
  const count = ids.length / none.length;
  if (count !== 2 && count !== 3) return undefined;
  const [user = '', project = '', credential = ''] = ids.match(/.{32}/g) ?? [];
  return { user, project: project === none ? '' : project, credential, id: idOfToken(text) };
}

function idOfToken(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
