import { errors } from '../../errors.ts';
import { posixLine } from '../quoting.ts';
import { SanCommandError, type SanRunOptions, type SanShell } from '../shell.ts';
import type { Dialect } from '../ssh-shell.ts';

/** A login over SSH has neither /usr/sbin nor a known locale. */
const environment = ['env', 'LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin'];

/** The last line of a whole answer: one that ends early can still come with exit code 0. */
const endMark = 'blockstore:end-of-answer';
/** Runs the words that follow it, and prints the mark when they have succeeded. */
const marking = ['sh', '-c', `"$@" && echo ${endMark}`, 'sh'];

export const solarisDialect: Dialect = {
  line: (words) => posixLine([...environment, ...words]),
  shown: (words) =>
    (marking.every((word, index) => word === words[index]) ? words.slice(marking.length) : words).join(' '),
};

/** Hands its standard input to a command as a file (-S) that this login alone can read, after the first two words. */
const withFile =
  'umask 077; f=`mktemp /tmp/blockstore.XXXXXX` || exit 1; trap "rm -f $f; exit 1" 1 2 13 15; cat >"$f"; ' +
  'command=$1 verb=$2; shift 2; pfexec "$command" "$verb" -S "$f" "$@"; code=$?; rm -f "$f"; exit $code';

const nothing = /^$/;
const lines = /(^|\n)$/;

interface Options extends SanRunOptions {
  /** What the command must print, when it succeeds. Default: nothing. */
  expected?: RegExp;
}

/** Commands of Solaris, each under pfexec. */
export class SolarisCommands {
  readonly shell: SanShell;

  constructor(shell: SanShell) {
    this.shell = shell;
  }

  /**
   * Returns what the command printed. Throws SanCommandError when it failed, AnswerUnreadable when it printed anything else than
   * expected: a banner, a question, a part of the answer wherever it ends, or an error with exit code 0.
   */
  run(words: readonly string[], options: Options = {}): Promise<string> {
    return this.exchange(['pfexec', ...words], words.join(' '), options);
  }

  /** Returns the lines that the command printed, each without its end. */
  async lines(words: readonly string[], options: SanRunOptions = {}): Promise<string[]> {
    return linesIn(await this.run(words, { ...options, expected: lines }));
  }

  /** Runs a constant script of sh with arguments, and returns the lines that it printed. */
  async script(script: string, args: readonly string[], options: SanRunOptions = {}): Promise<string[]> {
    return linesIn(await this.exchange(['sh', '-c', script, 'sh', ...args], script, { ...options, expected: lines }));
  }

  /**
   * Runs a command that takes a secret from a file: without one itadm asks for it, on a terminal. The secret is in no word of a command
   * and in no message.
   */
  async withSecret(command: readonly [string, string], words: readonly string[], secret: string): Promise<void> {
    const shown = [...command, '-S', 'FILE', ...words].join(' ');
    try {
      await this.exchange(['sh', '-c', withFile, 'sh', ...command, ...words], shown, { input: `${secret}\n` });
    } catch (error) {
      if (!(error instanceof SanCommandError) || !error.words.includes(secret)) throw error;
      throw new SanCommandError(this.shell.where, shown, error.words.replaceAll(secret, '***'));
    }
  }

  private async exchange(
    words: readonly string[],
    shown: string,
    { expected = nothing, ...options }: Options,
  ): Promise<string> {
    const { stdout, stderr, exitCode } = await this.shell.run([...marking, ...words], options);
    if (exitCode !== 0) throw new SanCommandError(this.shell.where, shown, stderr.trim() === '' ? stdout : stderr);
    const answer = wholeAnswer(stdout);
    if (stderr.trim() === '' && answer !== undefined && expected.test(answer)) return answer;
    throw errors.answerUnreadable(
      shown,
      stderr.trim() === '' ? stdout : stderr,
      `log in as ${this.shell.where} and run it: it must print its whole answer alone, without a banner or a question`,
    );
  }
}

/** Returns what the command printed, without the mark; undefined for an answer that is not whole. */
function wholeAnswer(printed: string): string | undefined {
  const end = `${endMark}\n`;
  const answer = printed.slice(0, -end.length);
  return printed.endsWith(end) && lines.test(answer) ? answer : undefined;
}

function linesIn(text: string): string[] {
  return text === '' ? [] : text.slice(0, -1).split('\n');
}
