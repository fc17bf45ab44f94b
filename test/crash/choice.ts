import type { Moment, Point } from './plan.ts';
import { oneForEachState } from './states.ts';

/** Some of the points of an operation, as a person names them. */
export interface Choice {
  choose(points: Point[]): Point[];
  /** Whether each point is met with every way of asking again; otherwise the ways take turns. */
  everyWay: boolean;
}

export const choiceForms = 'number|from-|from-to|part/parts|states';

/** Returns undefined where the words are none of choiceForms. */
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
