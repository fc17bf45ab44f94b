import { createInterface } from 'node:readline/promises';
import { errors } from '../../lib/errors.ts';
import { releaseInput } from '../release-input.ts';

/** Returns the first line of the standard input, after a prompt where that is a terminal. Throws InvalidArgument. */
export async function readKey(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write('key: ');
  const lines = createInterface({ input: process.stdin, terminal: false });
  try {
    for await (const line of lines) {
      if (line.trim() !== '') return line.trim();
    }
  } finally {
    lines.close();
    releaseInput();
  }
  throw errors.usage('the standard input has no key', 'blockstore transfer accept');
}
