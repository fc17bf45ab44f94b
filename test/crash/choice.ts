import type { Moment, Point } from './plan.ts';
import { oneForEachState } from './states.ts';

/** A selection of the points of an operation. */
export interface Choice {
  choose(points: Point[]): Point[];
  /** Whether each point runs with both kinds of repetition; otherwise they alternate. */
  everyWay: boolean;
}

export const choiceForms = 'number|from-|from-to|part/parts|states';

/** Returns undefined for words that are not one of choiceForms. */
export function parseChoice(words: string, moment: string | undefined): Choice | undefined {
  if (words === 'states') return { choose: oneForEachState, everyWay: false };
  const [, part, parts] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(words)?.map(Number) ?? [];
  if (part !== undefined && parts !== undefined) {
    return { choose: (points) => points.filter((_, index) => index % parts === part - 1), everyWay: false };
  }
  const range = /^(\d+)(-?)(\d*)$/.exec(words);
  if (!range || (moment !== undefined && !isMoment(moment))) return undefined;
  const [, from, dash, to] = range;
  const [first, last] = [Number(from), dash ? Number(to || Infinity) : Number(from)];
  const isChosen = ({ number, moment: when }: Point) =>
    number >= first && number <= last && (moment === undefined || when === moment);
  return { choose: (points) => points.filter(isChosen), everyWay: true };
}

function isMoment(word: string): word is Moment {
  return word === 'before' || word === 'after';
}
