import { errors } from '../../errors.ts';
import { SanCommandError, type SanRunOptions, type SanShell } from '../shell.ts';
import type { Dialect } from '../ssh-shell.ts';
import { type Element, parseXml } from '../../xml.ts';

/** CLIQ has no quoting that is known: a command has words without any character that it could interpret. */
export const cliqDialect: Dialect = {
  line: (words) => {
    const odd = words.find((word) => !/^[A-Za-z0-9_%,.:=-]+$/.test(word));
    if (odd !== undefined) throw errors.invalidArgument('CLIQ argument', odd, 'letters, digits and _ % , . : = -');
    return words.join(' ');
  },
  shown: (words) => withoutSecrets(words.filter((word) => word !== 'output=XML').join(' ')),
};

/** Of a command, or of an answer, which can be cut. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/(targetSecret=)("[^"]*"?|[^"\s]+)/g, '$1***');
}

/** The command line of LeftHand. */
export class Cliq {
  readonly shell: SanShell;

  constructor(shell: SanShell) {
    this.shell = shell;
  }

  /**
   * Returns the elements of the answer. Throws SanCommandError for a result other than 0, AnswerUnreadable for anything that is not
   * one whole answer.
   */
  async run(
    verb: string,
    values: Readonly<Record<string, string>> = {},
    options: SanRunOptions = {},
  ): Promise<Element[]> {
    const words = [verb, ...Object.entries(values).map(([name, value]) => `${name}=${value}`), 'output=XML'];
    const { stdout, stderr } = await this.shell.run(words, options);
    const shown = cliqDialect.shown(words);
    const answer = parseXml(stdout);
    const [response] = answer?.children ?? [];
    const { result, description = '' } = response?.attributes ?? {};
    const isWhole = answer?.name === 'gauche' && response?.name === 'response' && !hasText(answer);
    if (!isWhole || result === undefined || stderr.trim() !== '') {
      throw errors.answerUnreadable(
        shown,
        withoutSecrets(stdout + stderr),
        `log in as ${this.shell.where} and run it with output=XML: it must answer with one <gauche> alone`,
      );
    }
    if (result !== '0') throw new SanCommandError(this.shell.where, shown, withoutSecrets(description));
    return response.children;
  }
}

/** An answer has none: it would be of something else that writes to the same output. */
function hasText({ text, children }: Element): boolean {
  return text.trim() !== '' || children.some(hasText);
}
