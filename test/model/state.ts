/** The state of a volume, or of a type, as a text: states are compared and kept in sets. */
export type State = string;

export interface Parts {
  /** absent, creating, available, deleting, extending, error_extending; of one that has an instance also attaching, attached, detaching. */
  word: string;
  instance: string;
  /** It has been extended. */
  isGrown: boolean;
  isTyped: boolean;
  /** Of the group. */
  isMember: boolean;
  /** Group snapshots that it is in, by their names; `own`: one that is there for a job alone. */
  snapshots: readonly string[];
  /** `takes` or `drops` and the name of one; '' = none. */
  work: string;
}

export const absent: Parts = {
  word: 'absent',
  instance: '',
  isGrown: false,
  isTyped: false,
  isMember: false,
  snapshots: [],
  work: '',
};

export function stateText({ word, instance, isGrown, isTyped, isMember, snapshots, work }: Parts): State {
  const marks = [
    ...(isGrown ? ['grown'] : []),
    ...(isTyped ? ['typed'] : []),
    ...(isMember ? ['member'] : []),
    ...snapshots.toSorted().map((name) => `has ${name}`),
    ...(work === '' ? [] : [work]),
  ];
  return `${word}${marks.length === 0 ? '' : ` (${marks.join(', ')})`}${instance === '' ? '' : ` ${instance}`}`;
}

export function partsOf(state: State): Parts {
  const [, word = '', text = '', instance = ''] = /^(\w+)(?: \(([^)]*)\))?(?: (.+))?$/.exec(state) ?? [];
  const marks = text.split(', ');
  return {
    word,
    instance,
    isGrown: marks.includes('grown'),
    isTyped: marks.includes('typed'),
    isMember: marks.includes('member'),
    snapshots: marks.flatMap((mark) => (mark.startsWith('has ') ? [mark.slice(4)] : [])),
    work: marks.find((mark) => /^(takes|drops) /.test(mark)) ?? '',
  };
}

/** What a list says: it reads no snapshots. */
export function withoutSnapshots(state: State): State {
  return stateText({ ...partsOf(state), snapshots: [] });
}
