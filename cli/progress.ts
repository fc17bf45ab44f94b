import { duration } from './format.ts';
import type { Output } from './output.ts';

const frames = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const frameMs = 100;

/** A progress line on a terminal's stderr, erased at the end. Without a terminal it prints nothing. */
export class Progress {
  private readonly timer: NodeJS.Timeout | undefined;
  private readonly began = performance.now();
  private text: string;
  private frame = 0;

  constructor(output: Output, text: string) {
    this.text = text;
    this.timer = output.isWatched ? setInterval(() => this.draw(), frameMs) : undefined;
  }

  update(text: string): void {
    this.text = text;
  }

  /** Erases the line; the timer draws it again. */
  clear(): void {
    if (this.timer) process.stderr.write('\r\u001B[K');
  }

  end(): void {
    clearInterval(this.timer);
    this.clear();
  }

  private draw(): void {
    this.frame += 1;
    const line = `${frames[this.frame % frames.length]} ${this.text} (${duration(performance.now() - this.began)})`;
    // A wrapped line could not be erased.
    process.stderr.write(`\r\u001B[K${line.slice(0, (process.stderr.columns || 80) - 1)}`);
  }
}
