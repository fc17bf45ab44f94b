export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What the lines at the end of a report count as. Of what passed ava tells the number only where nothing failed. */
const summaryLines: [RegExp, keyof Counts][] = [
  [/^ *(\d+) known failures?$/, 'skipped'],
  [/^ *(\d+) tests? (?:skipped|todo)$/, 'skipped'],
  [/^ *(\d+) (?:tests?|hooks?) failed/, 'failed'],
  [/^ *(\d+) unhandled rejections?$/, 'failed'],
  [/^ *(\d+) uncaught exceptions?$/, 'failed'],
  [/^ *(\d+) tests? remained pending/, 'failed'],
];

/**
 * Counts from what ava writes to its standard output without colours. A test that is known to fail counts as skipped;
 * a run that `succeeded` is not true of (ava ended with another code than 0), but in which no test failed, as one failure.
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

/** The report without the tests that passed or were skipped, and what they logged: what there is to mend. */
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
