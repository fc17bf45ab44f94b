import { pollUntil } from '../concurrency.ts';
import { printable } from '../printable.ts';
import type { Processes, ResidentProcess } from '../process.ts';

const startMs = 120_000;
/** In which a server completes what it has begun. */
const stopMs = 30_000;
const maxMessageBytes = 4096;

/** A process of QEMU that gives access to the data of an image while it runs. */
export class QemuServer {
  readonly ended: Promise<void>;
  private readonly child: ResidentProcess;
  private text = '';

  constructor(processes: Processes, command: string, args: readonly string[]) {
    this.child = processes.resident(command, args, {});
    this.ended = this.child.ended;
    this.child.stdout.resume();
    this.child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.text = `${this.text}${chunk}`.slice(-maxMessageBytes);
    });
  }

  /** Returns whether it is ready before it ends, and before it has had two minutes. Throws the signal's reason. */
  async becomes(isReady: () => Promise<boolean>, signal?: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const ready = pollUntil(isReady, {
      deadlineMs: startMs,
      signal: AbortSignal.any(signal ? [over.signal, signal] : [over.signal]),
    });
    try {
      return Boolean(await Promise.race([this.ended.then(() => false), ready]));
    } finally {
      over.abort();
    }
  }

  /** Returns the last line that it has written. */
  said(): string {
    return printable(this.text.trim().split('\n').at(-1) ?? '');
  }

  async end(): Promise<void> {
    this.child.kill();
    const timer = setTimeout(() => this.child.kill('SIGKILL'), stopMs);
    await this.ended;
    clearTimeout(timer);
  }
}

/** As QEMU's tools take options: a comma ends a value unless it is doubled. */
export function qemuOptions(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}=${value.replaceAll(',', ',,')}`)
    .join(',');
}
