import { errors } from '../errors.ts';

/** Characters that no name or value of ours has, and that terminals and line-based shells act on. */
const control = /\p{Cc}/u;

/** Returns the command line with which a POSIX shell runs exactly these words. Throws InvalidArgument for control characters. */
export function posixLine(words: readonly string[]): string {
  return words.map(posixWord).join(' ');
}

function posixWord(word: string): string {
  if (control.test(word)) throw errors.invalidArgument('word of a command', word, 'text without control characters');
  return /^[A-Za-z0-9_%+,./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
