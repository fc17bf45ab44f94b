import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { errors } from '../lib/errors.ts';
import { checkPassword, newPassword } from '../lib/identity/password.ts';
import { interruptedCode } from './exit-codes.ts';
import { releaseInput } from './release-input.ts';

export interface ChosenPassword {
  password: string;
  /** Whether it is to be printed, as nobody knows it. */
  isGenerated: boolean;
}

/**
 * Returns a new password: a generated one, or one that is typed twice on a terminal, which does not show it, or the first line of the
 * standard input. `command`: whose help to point to. Throws WeakPassword, InvalidArgument.
 */
export async function choosePassword(
  command: string,
  { generate = false }: { generate?: boolean },
): Promise<ChosenPassword> {
  if (generate) return { password: newPassword(), isGenerated: true };
  const [password = '', again] = await readSecrets(command, process.stdin.isTTY ? ['password: ', 'again: '] : ['']);
  checkPassword(password);
  if (again !== undefined && again !== password) throw errors.usage('the two passwords differ', command);
  return { password, isGenerated: false };
}

/** Returns the first lines of the standard input, one for each prompt; a terminal does not show them. Throws InvalidArgument. */
export async function readSecrets(command: string, prompts: readonly string[]): Promise<string[]> {
  const isTyped = process.stdin.isTTY;
  const hidden = new Writable({ write: (_text, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: hidden, terminal: isTyped, historySize: 0 });
  lines.once('SIGINT', () => {
    lines.close();
    process.exit(interruptedCode);
  });
  const read = lines[Symbol.asyncIterator]();
  const answers: string[] = [];
  try {
    for (const prompt of prompts) {
      if (isTyped) process.stderr.write(prompt);
      const next = await read.next();
      if (isTyped) process.stderr.write('\n');
      if (next.done === true || next.value === '')
        throw errors.usage('the standard input has no password or token', command);
      answers.push(next.value);
    }
  } finally {
    lines.close();
    releaseInput();
  }
  return answers;
}
