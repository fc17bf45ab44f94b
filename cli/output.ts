import { styleText } from 'node:util';
import type { BlockstoreError } from '../lib/errors.ts';
import { printable, printableJson, printableLines } from '../lib/printable.ts';

export type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan';

export interface OutputOptions {
  json: boolean;
  color: boolean;
  quiet: boolean;
}

/** Output of a command: results go to stdout, everything else to stderr. */
export class Output {
  readonly json: boolean;
  private readonly color: boolean;
  private readonly quiet: boolean;

  constructor({ json, color, quiet }: OutputOptions) {
    this.json = json;
    this.color = color;
    this.quiet = quiet;
  }

  /** Whether stderr is a terminal, so that a progress line can be drawn. */
  get isWatched(): boolean {
    return process.stderr.isTTY && !this.quiet;
  }

  /** Whether stdout is a terminal: long cells of a table are cut there, and nowhere else. */
  get isTerminal(): boolean {
    return process.stdout.isTTY;
  }

  /**
   * Writes a part of the result. Waits for a slow reader, so that a long list is never held in memory; not for one that has ended:
   * see write-errors.ts.
   */
  async write(text: string): Promise<void> {
    await new Promise((resolve) => process.stdout.write(text, resolve));
  }

  async line(text: string): Promise<void> {
    await this.write(`${text}\n`);
  }

  /** Writes a result as a JSON document. */
  async document(value: unknown): Promise<void> {
    await this.line(printableJson(value, 2));
  }

  /** Writes a message to stderr, unless --quiet. */
  note(text: string): void {
    if (!this.quiet) process.stderr.write(`${printableLines(text)}\n`);
  }

  /** Writes to stderr, also with --quiet: what a user must not overlook. */
  warn(text: string): void {
    process.stderr.write(`${printableLines(text)}\n`);
  }

  error(error: BlockstoreError): void {
    if (this.json) {
      const { code, kind, message, hint } = error;
      process.stderr.write(`${printableJson({ error: { code, kind, message, hint: hint ?? null } })}\n`);
      return;
    }
    const message = printableLines(error.message).replaceAll('\n', '\n  ');
    const hint = error.hint === undefined ? '' : `  ${this.paint('dim', printable(error.hint), process.stderr)}\n`;
    process.stderr.write(`${this.paint('red', 'blockstore:', process.stderr)} ${message}\n${hint}`);
  }

  /** Returns coloured text on a terminal, unless --no-color or NO_COLOR is set. */
  paint(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
    return this.color ? styleText(style, text, { stream }) : text;
  }
}
