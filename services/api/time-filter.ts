import { errors } from '../../lib/errors.ts';

type Comparison = (one: number, other: number) => boolean;

const comparisons: ReadonlyMap<string, Comparison> = new Map<string, Comparison>([
  ['gt', (one, other) => one > other],
  ['gte', (one, other) => one >= other],
  ['eq', (one, other) => one === other],
  ['neq', (one, other) => one !== other],
  ['lt', (one, other) => one < other],
  ['lte', (one, other) => one <= other],
]);

/**
 * Reads a filter by time, such as `gt:2026-01-31T08:00:00,lt:2026-02-28T00:00:00`, in UTC where it names no zone; whole seconds are
 * compared. Throws InvalidRequest.
 */
export function timeFilter(name: string, text: string): (ms: number) => boolean {
  const rules = text.split(',').map((part) => {
    const [, operator = 'eq', time = ''] = /^(?:([a-z]+):)?(.+)$/.exec(part.trim()) ?? [];
    const compare = comparisons.get(operator);
    const hasZone = /(?:Z|[+-]\d{2}:?\d{2})$/.test(time);
    const ms = Date.parse(hasZone ? time : `${time}Z`);
    if (!compare || Number.isNaN(ms)) {
      throw errors.invalidRequest([`${name}: ${part.slice(0, 60)} is no time such as gt:2026-01-31T08:00:00`]);
    }
    return { compare, second: Math.floor(ms / 1000) };
  });
  return (ms) => rules.every(({ compare, second }) => compare(Math.floor(ms / 1000), second));
}
