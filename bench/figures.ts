/** One measured quantity of a run, with the yardstick of the same run where there is one. */
export interface Figure {
  what: string;
  value: number;
  /** Of several runs: the lowest and the highest value. */
  range?: readonly [number, number];
  unit: string;
  aim?: string;
  /** What `value` is compared with, measured in the same run, in the same unit. */
  yardstick?: { what: string; value: number };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The same figures of several runs as one: medians of the values and of the yardsticks, each for itself. */
export function medians(runs: readonly (readonly Figure[])[]): Figure[] {
  const [first = []] = runs;
  return first.map((figure, index) => {
    const same = runs.flatMap((run) => run[index] ?? []);
    const values = same.map(({ value }) => value);
    const yardsticks = same.flatMap(({ yardstick }) => yardstick?.value ?? []);
    const { yardstick } = figure;
    const value = median(values);
    const range = [Math.min(...values), Math.max(...values)] as const;
    if (!yardstick) return Object.assign({}, figure, { value, range });
    const against = { what: yardstick.what, value: median(yardsticks) };
    return Object.assign({}, figure, { value, range, yardstick: against });
  });
}

/** Milliseconds of each of `count` runs, one after the other. */
export async function timesOf(count: number, work: (index: number) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < count; index += 1) {
    const begin = performance.now();
    await work(index);
    times.push(performance.now() - begin);
  }
  return times;
}

/** How many a second `clients` get done together, out of `count`. */
export async function perSecond(count: number, clients: number, work: () => Promise<unknown>): Promise<number> {
  let left = count;
  const begin = performance.now();
  const client = async () => {
    while (left > 0) {
      left -= 1;
      await work();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return count / ((performance.now() - begin) / 1000);
}

/** A table for a terminal and for docs/performance.md alike. */
export function table(figures: readonly Figure[]): string {
  const rows = figures.map(({ what, value, range, unit, aim = '', yardstick }) => {
    const from = range ? range.map(rounded).join(' – ') : '';
    const against = yardstick ? `${yardstick.what}: ${rounded(yardstick.value)} ${unit}` : '';
    const ratio = yardstick ? `${rounded(value / yardstick.value)}×` : '';
    return `| ${what} | ${rounded(value)} ${unit} | ${from} | ${aim} | ${against} | ${ratio} |`;
  });
  return [
    '| what | median | lowest – highest | aim | yardstick, same runs | ratio |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function rounded(value: number): string {
  return value >= 100 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);
}
