import { duration } from './format.ts';
import type { Output } from './output.ts';

const frames = '⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏';
const frameMs = 100;

/** One line on a terminal's stderr that says what is waited for, and goes away at the end. Elsewhere nothing. */
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

  /** Takes the line away; it comes back by itself unless this was the end. */
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
    // A line that wraps could not be taken away.
    process.stderr.write(`\r\u001B[K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  }
}
