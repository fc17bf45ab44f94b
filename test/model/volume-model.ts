/**
 * A volume without any I/O: the states that it may be in, and what each command makes of them. A command that changes
 * something takes two steps, for others may come between: it is begun, and later its caller sees that it is over.
 */

/** As a record shows it, in one word: absent, creating, available, deleting, or attaching, attached, detaching with an instance. */
export type State = string;

export type Command =
  | { name: 'delete' | 'detach' | 'show' }
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
  const [word = '', instance = ''] = state.split(' ');
  const after: Record<string, State> = {
    creating: 'available',
    attaching: `attached ${instance}`,
    detaching: 'available',
    deleting: 'absent',
  };
  return after[word];
}

/** Every next step of a command that is to end with this answer. */
export function moves(command: Command, answer: Answer, phase: Phase, state: State): Move[] {
  if (phase === 'over') return [];
  if (phase === 'called') return [...seen(command, answer, state), ...begun(command, answer, state)];
  return isOver(command, answer, state) ? [{ phase: 'over', state }] : [];
}

/** Where the answer was only read off the state. */
function seen(command: Command, answer: Answer, state: State): Move[] {
  const isSo =
    answer.kind === 'state' ? answer.state === state : answer.kind === 'error' && refuses(command, answer.code, state);
  return isSo ? [{ phase: 'over', state }] : [];
}

function refuses(command: Command, code: string, state: State): boolean {
  const { name } = command;
  const isBound = /^(attaching|attached|detaching)/.test(state);
  switch (code) {
    case 'VolumeNotFound':
      return state === 'absent' && name !== 'create';
    case 'VolumeExists':
      return name === 'create' && (state === 'deleting' || (command.isPinned && state !== 'absent'));
    case 'BackendUnavailable': // no node has begun to accept volumes
    case 'NoNodeUp':
    case 'NodeDown':
      return name === 'create' && state === 'absent';
    case 'VolumeAttached':
      return (name === 'attach' || name === 'delete') && isBound;
    case 'WrongStatus':
      if (name === 'detach') return state.startsWith('attaching ');
      return name === 'delete' ? state === 'creating' : name === 'attach' && /^(creating|deleting)$/.test(state);
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
  // One that exists was requested before.
  if (name === 'create') return state === 'deleting' ? [] : [state === 'absent' ? 'creating' : state];
  if (name === 'attach') {
    const under = `attaching ${command.instance}`;
    return state === 'available' || state === under ? [under] : [];
  }
  if (name === 'detach') return /^(attached|detaching) /.test(state) ? [state.replace(/^\w+/, 'detaching')] : [];
  if (name !== 'delete') return [];
  return state === 'available' || state === 'deleting' ? ['deleting'] : [];
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
    show: '',
    list: '',
  };
  const [word] = state.split(' ');
  return word !== under[name] && (state !== 'absent' || name === 'delete');
}
