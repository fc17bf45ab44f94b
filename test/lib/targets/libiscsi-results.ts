/** What iscsi-test-cu prints at its end. */
export interface LibiscsiResults {
  /** `<suite>.<test>`, sorted, each once. */
  failed: string[];
  /** The row of counts; undefined where it did not come to its end. */
  summary: string | undefined;
}

export function libiscsiResults(output: string): LibiscsiResults {
  const failed = [...output.matchAll(/^Suite (\S+), Test (\S+) had failures:/gm)].map(
    ([, suite, name]) => `${suite}.${name}`,
  );
  return { failed: [...new Set(failed)].toSorted(), summary: /^ +tests +\d+ +\d+ +\d+ +\d+.*$/m.exec(output)?.[0] };
}
