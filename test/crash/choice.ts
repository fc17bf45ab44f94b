import type { Moment, Point } from './plan.ts';
import { oneForEachState } from './states.ts';

/** A selection of the points of an operation. */
export interface Choice {
  choose(points: Point[]): Point[];
  /** Whether each point runs with both kinds of repetition; otherwise they alternate. */
  everyWay: boolean;
}

export const choiceForms = 'number|from-|from-to|part/parts|states [part/parts]';

/** `second`: the moment of numbered points, or a part of the states. Returns undefined for words that are not one of choiceForms. */
export function parseChoice(words: string, second: string | undefined): Choice | undefined {
  const everyWay = false;
  if (words === 'states' && second === undefined) return { choose: oneForEachState, everyWay };
  const takePart = parsePart(words === 'states' ? (second ?? '') : words);
  if (takePart) {
    return { choose: (points) => takePart(words === 'states' ? oneForEachState(points) : points), everyWay };
  }
  const range = /^(\d+)(-?)(\d*)$/.exec(words);
  if (!range || (second !== undefined && !isMoment(second))) return undefined;
  const [, from, dash, to] = range;
  const [first, last] = [Number(from), dash ? Number(to || Infinity) : Number(from)];
  const isChosen = ({ number, moment: when }: Point) =>
    number >= first && number <= last && (second === undefined || when === second);
  return { choose: (points) => points.filter(isChosen), everyWay: true };
}

function isMoment(word: string): word is Moment {
  return word === 'before' || word === 'after';
}

/** Returns what takes every `parts`th point, from the `part`th on. */
function parsePart(word: string): ((points: readonly Point[]) => Point[]) | undefined {
  const [, part, parts] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(word)?.map(Number) ?? [];
  if (part === undefined || parts === undefined) return undefined;
  return (points) => points.filter((_, index) => index % parts === part - 1);
}
