export type Scored = readonly [member: string, score: number];

/** Members in order of score, then of the alphabet; sorted when it is looked at. */
export class SortedSet {
  private readonly scores = new Map<string, number>();
  private order: Scored[] | undefined = [];

  copy(): SortedSet {
    const copy = new SortedSet();
    for (const [member, score] of this.scores) copy.add(member, score);
    return copy;
  }

  get size(): number {
    return this.scores.size;
  }

  score(member: string): number | undefined {
    return this.scores.get(member);
  }

  /** Whether it is new. */
  add(member: string, score: number): boolean {
    const before = this.scores.get(member);
    if (before === score) return false;
    this.scores.set(member, score);
    this.order = undefined;
    return before === undefined;
  }

  remove(member: string): boolean {
    const removed = this.scores.delete(member);
    if (removed) this.order = undefined;
    return removed;
  }

  get sorted(): readonly Scored[] {
    this.order ??= [...this.scores].toSorted(
      ([one, first], [other, second]) => first - second || (one < other ? -1 : Number(one > other)),
    );
    return this.order;
  }
}

/** `5`, `(5`, `-inf`, `+inf`. */
export function scoreBound(text: string): { value: number; open: boolean } {
  const open = text.startsWith('(');
  const number = open ? text.slice(1) : text;
  if (number === '-inf') return { value: -Infinity, open };
  return { value: number === '+inf' || number === 'inf' ? Infinity : Number(number), open };
}

/** `[text`, `(text`, `-`, `+`: whether a member is on the right side of it. */
export function aboveText(bound: string, member: string): boolean {
  if (bound === '-') return true;
  return bound !== '+' && (bound.startsWith('[') ? member >= bound.slice(1) : member > bound.slice(1));
}

export function belowText(bound: string, member: string): boolean {
  if (bound === '+') return true;
  return bound !== '-' && (bound.startsWith('[') ? member <= bound.slice(1) : member < bound.slice(1));
}
