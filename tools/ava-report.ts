export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** How the last lines of a report count. ava prints the number of passed tests only if none failed. */
const summaryLines: [RegExp, keyof Counts][] = [
  [/^ *(\d+) known failures?$/, 'skipped'],
  [/^ *(\d+) tests? (?:skipped|todo)$/, 'skipped'],
  [/^ *(\d+) (?:tests?|hooks?) failed/, 'failed'],
  [/^ *(\d+) unhandled rejections?$/, 'failed'],
  [/^ *(\d+) uncaught exceptions?$/, 'failed'],
  [/^ *(\d+) tests? remained pending/, 'failed'],
];

/**
 * Returns the counts from ava's output without colours. A test that is expected to fail counts as skipped; a run without a
 * failed test that did not succeed (exit code other than 0) counts as one failure.
 */
export function countTests(report: string, succeeded: boolean): Counts {
  const lines = report.split('\n');
  const end = lines.findLastIndex((line) => line === '  ─');
  const counts: Counts = {
    passed: lines.filter((line) => /^ +✔ (?!\[expected fail\])/.test(line)).length,
    failed: 0,
    skipped: 0,
  };
  for (const line of lines.slice(end + 1)) {
    for (const [pattern, kind] of summaryLines) counts[kind] += Number(pattern.exec(line)?.[1] ?? 0);
  }
  if (!succeeded && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Returns the report without passed and skipped tests and their logs. */
export function withoutPassed(report: string): string {
  const lines = report.split('\n');
  const begin = lines.indexOf('  ─');
  const end = begin === -1 ? lines.length : begin;
  let isKept = false;
  const kept = lines.slice(0, end).filter((line) => {
    if (/^ +(?:✔|- \[)/.test(line)) isKept = false;
    else if (/^ {2}\S/.test(line)) isKept = true;
    return isKept;
  });
  return [...kept, ...lines.slice(end)].join('\n').trimEnd();
}
