import { z } from 'zod';
import type { LvmAnswer } from './lvm.ts';

/**
 * Splits a stream of LVM's JSON into reports. LVM writes one token or row per line and closes a report at the indentation
 * at which it opened. Lines that cannot be JSON are warnings and are dropped.
 */
export class AnswerReader {
  private rest = '';
  private indent = '';
  private lines: string[] = [];

  /** Returns the reports that `chunk` completes. */
  feed(chunk: string): string[] {
    const answers: string[] = [];
    const lines = (this.rest + chunk).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      const answer = this.take(line);
      if (answer !== undefined) answers.push(answer);
    }
    return answers;
  }

  private take(line: string): string | undefined {
    if (this.lines.length === 0) {
      const opening = /^(\s*)\{\s*$/.exec(line);
      if (opening === null) return undefined;
      this.indent = opening[1] ?? '';
      this.lines = [line];
      return undefined;
    }
    if (!/^\s*[{}[\],"]/.test(line)) return undefined;
    this.lines.push(line);
    if (line.trimEnd() !== `${this.indent}}`) return undefined;
    const answer = this.lines.join('\n');
    this.lines = [];
    return answer;
  }
}

const shape = z.object({
  report: z.array(z.record(z.string(), z.array(z.unknown()))).optional(),
  log: z
    .array(
      z.object({
        log_type: z.string(),
        log_object_type: z.string(),
        log_message: z.string(),
        log_ret_code: z.coerce.number(),
      }),
    )
    .default([]),
});

/** Throws when `text` is not a report of LVM. `exitCode` is set when a separate process ran the command. */
export function parseAnswer(text: string, exitCode?: number): LvmAnswer {
  const { report, log } = shape.parse(JSON.parse(withoutStrayCommas(text)));
  const said = (type: string) =>
    log.filter((row) => row.log_type === type && row.log_message.trim() !== '').map((row) => row.log_message.trim());
  const failures = log.filter((row) => row.log_type === 'status' && row.log_ret_code > 1);
  const errors = said('error');
  return {
    status: exitCode ?? failures.findLast((row) => row.log_object_type === 'cmd')?.log_ret_code ?? 0,
    rows: (report ?? []).flatMap((part) => Object.values(part).flat()),
    reported: report?.some((part) => Object.keys(part).length > 0) ?? false,
    messages: errors.length > 0 ? errors : said('warn'),
  };
}

/** LVM 2.03.16 writes a comma after the last row of a list. Strings do not span lines, so none is changed. */
function withoutStrayCommas(text: string): string {
  return text.replace(/,(\s*\n\s*[\]}])/g, '$1');
}
