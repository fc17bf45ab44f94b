import { randomInt } from 'node:crypto';
import type { Chap } from '../targets/target.ts';
import { UnreadableError } from './hash.ts';

/** Sixteen: some initiators accept no more. Of 62 characters, they are worth 95 bits. */
const secretLength = 16;
const characters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Returns a user and a secret that nobody has had before. */
export function newChap(): Chap {
  return { user: randomText(), secret: randomText() };
}

function randomText(): string {
  return Array.from({ length: secretLength }, () => characters.charAt(randomInt(characters.length))).join('');
}

/** As it stands in the record; the form is that of provider_auth. */
export function writeChap({ user, secret }: Chap): string {
  return `CHAP ${user} ${secret}`;
}

/** Throws UnreadableError, which does not show the text. */
export function parseChap(text: string): Chap {
  const [, user, secret] = /^CHAP (\S+) (\S+)$/.exec(text) ?? [];
  if (user === undefined || secret === undefined)
    throw new UnreadableError('has a CHAP user and secret of another form');
  return { user, secret };
}
