/**
 * A volume without any I/O: the states that it may be in, and what each command makes of them. A command that changes
 * something takes two steps, for others may come between: it is begun, and later its caller sees that it is over.
 */

/**
 * As a record shows it: absent, creating, available, deleting or extending; attaching, attached, detaching or extending with an instance.
 * Followed by + for one that has been extended.
 */
export type State = string;

interface Parts {
  word: string;
  isGrown: boolean;
  instance: string;
}

export function stateText({ word, isGrown, instance }: Parts): State {
  return `${word}${isGrown ? '+' : ''}${instance === '' ? '' : ` ${instance}`}`;
}

function partsOf(state: State): Parts {
  const [, word = '', plus = '', instance = ''] = /^(\w+)(\+?)(?: (.+))?$/.exec(state) ?? [];
  return { word, isGrown: plus !== '', instance };
}

export type Command =
  | { name: 'delete' | 'detach' | 'extend' | 'show' }
  /** Pinned to a node: one that exists may be of another. */
  | { name: 'create'; isPinned: boolean }
  | { name: 'attach'; instance: string }
  /** What a list says of this one volume. */
  | { name: 'list' };

/** ok, the state that was read, the code of an error, or nothing known: it may have happened, now or later, or not. */
export type Answer =
  | { kind: 'ok' }
  | { kind: 'state'; state: State }
  | { kind: 'error'; code: string }
  | { kind: 'unknown' };

export type Phase = 'called' | 'begun' | 'over';

export interface Move {
  phase: Phase;
  state: State;
}

/** What a node does by itself, at any time. */
export function finished(state: State): State | undefined {
  const { word, instance, ...rest } = partsOf(state);
  if (word === 'creating') return 'available';
  if (word === 'deleting') return 'absent';
  if (word === 'attaching') return stateText({ ...rest, word: 'attached', instance });
  if (word === 'detaching') return stateText({ ...rest, word: 'available', instance: '' });
  if (word !== 'extending') return undefined;
  return stateText({ word: instance === '' ? 'available' : 'attached', isGrown: true, instance });
}

/** Every next step of a command that is to end with this answer. */
export function moves(command: Command, answer: Answer, phase: Phase, state: State): Move[] {
  if (phase === 'over') return [];
  if (phase === 'called') return [...seen(command, answer, state), ...begun(command, answer, state)];
  return isOver(command, answer, state) ? [{ phase: 'over', state }] : [];
}

/** Where the answer was only read off the state. */
function seen(command: Command, answer: Answer, state: State): Move[] {
  const { word, isGrown } = partsOf(state);
  // One that has the size already stays as it is.
  const hasSize = command.name === 'extend' && isGrown && (word === 'available' || word === 'attached');
  const isSo =
    (answer.kind === 'ok' && hasSize) ||
    (answer.kind === 'state' && answer.state === state) ||
    (answer.kind === 'error' && refuses(command, answer.code, state));
  return isSo ? [{ phase: 'over', state }] : [];
}

function refuses(command: Command, code: string, state: State): boolean {
  const { name } = command;
  const { word, isGrown, instance } = partsOf(state);
  const isBound = instance !== '';
  switch (code) {
    case 'VolumeNotFound':
      return state === 'absent' && name !== 'create';
    case 'VolumeExists':
      return name === 'create' && (word === 'deleting' || isGrown || (command.isPinned && state !== 'absent'));
    case 'BackendUnavailable': // no node has begun to accept volumes
      return (name === 'create' && state === 'absent') || name === 'extend';
    case 'NoNodeUp':
    case 'NodeDown':
      return name === 'create' && state === 'absent';
    case 'VolumeAttached':
      return (name === 'attach' || name === 'delete') && isBound;
    case 'WrongStatus':
      if (name === 'extend') return /^(creating|deleting|attaching|detaching)$/.test(word);
      if (name === 'detach') return word === 'attaching' || (word === 'extending' && isBound);
      if (name === 'delete') return word === 'creating' || (word === 'extending' && !isBound);
      return name === 'attach' && !isBound && /^(creating|deleting|extending)$/.test(word);
    case 'VolumeNotAttached':
      return name === 'detach' && !isBound && state !== 'absent';
    default:
      return false;
  }
}

function begun(command: Command, answer: Answer, state: State): Move[] {
  // Others deleted it meanwhile, which a create or an attach cannot tell from a loss.
  const isGone = answer.kind === 'error' && /^(VolumeNotFound|ChangeLost)$/.test(answer.code);
  if (answer.kind === 'state' || (answer.kind === 'error' && !isGone)) return [];
  const next = afterBegin(command, state);
  // Nobody asks any more how one ended of which nothing is known.
  return next.map((after) => ({ phase: answer.kind === 'unknown' ? 'over' : 'begun', state: after }));
}

function afterBegin(command: Command, state: State): State[] {
  const { name } = command;
  const { word, isGrown, instance } = partsOf(state);
  // One that exists was requested before.
  if (name === 'create') return word === 'deleting' ? [] : [state === 'absent' ? 'creating' : state];
  if (name === 'attach') {
    const under = stateText({ word: 'attaching', isGrown, instance: command.instance });
    return word === 'available' || state === under ? [under] : [];
  }
  if (name === 'detach') {
    return word === 'attached' || word === 'detaching' ? [stateText({ word: 'detaching', isGrown, instance })] : [];
  }
  if (name === 'extend') {
    const isFree = word === 'available' || word === 'attached' || word === 'extending';
    return isFree ? [stateText({ word: 'extending', isGrown, instance })] : [];
  }
  if (name !== 'delete') return [];
  return word === 'available' || word === 'deleting' ? [stateText({ word: 'deleting', isGrown, instance })] : [];
}

function isOver(command: Command, answer: Answer, state: State): boolean {
  const { name } = command;
  if (answer.kind === 'error') {
    // Others detached it meanwhile, and perhaps attached it elsewhere: its host must not count it as attached.
    if (name === 'attach' && answer.code === 'ChangeLost') return !state.endsWith(` ${command.instance}`);
    return name !== 'delete' && state === 'absent'; // others deleted it meanwhile
  }
  const under = {
    create: 'creating',
    attach: 'attaching',
    detach: 'detaching',
    delete: 'deleting',
    extend: 'extending',
    show: '',
    list: '',
  };
  return partsOf(state).word !== under[name] && (state !== 'absent' || name === 'delete');
}
