import type { Answer, Move, Phase, Rules } from './explain.ts';
import { type Parts, type State, absent, partsOf, stateText, withoutSnapshots } from './state.ts';

/**
 * A volume without any I/O: the states that it may be in, and what each command makes of them. A command that changes
 * something takes two steps, for others may come between: it is begun, and later its caller sees that it is over.
 */
export type VolumeCommand =
  | { name: 'delete' | 'detach' | 'extend' | 'show' | 'join' | 'leave' | 'dismiss' | 'copy' }
  /** Pinned to a node: one that exists may be of another. */
  | { name: 'create'; isPinned: boolean; isTyped: boolean }
  | { name: 'attach'; instance: string }
  /** A group snapshot, by its name, of all volumes of the group: that it concerns this one is not known. */
  | { name: 'take' | 'drop'; snapshot: string }
  /** What a list says of this one volume. */
  | { name: 'list' };

export const volumeRules: Rules<VolumeCommand> = { first: stateText(absent), finished, moves };

/** What a node does by itself, at any time. */
function finished(state: State): State[] {
  const parts = partsOf(state);
  const { word, instance, snapshots, work } = parts;
  const to = (change: Partial<Parts>) => stateText({ ...parts, ...change });
  const [, kind, name = ''] = /^(takes|drops) (.+)$/.exec(work) ?? [];
  if (kind === 'takes') return [to({ work: '', snapshots: [...snapshots, name] })];
  if (kind === 'drops') return [to({ work: '', snapshots: snapshots.toSpliced(snapshots.indexOf(name), 1) })];
  if (word === 'creating') return [to({ word: 'available' })];
  if (word === 'deleting') return [stateText(absent)];
  if (word === 'attaching') return [to({ word: 'attached' })];
  if (word === 'detaching') return [to({ word: 'available', instance: '' })];
  if (word !== 'extending') return [];
  return [to({ word: instance === '' ? 'available' : 'attached', isGrown: true }), to({ word: 'error_extending' })];
}

/** Every next step of a command that is to end with this answer. */
function moves(command: VolumeCommand, answer: Answer, phase: Phase, state: State): Move[] {
  if (phase === 'over') return [];
  if (command.name === 'copy') return copyMoves(answer, phase, state);
  if (phase === 'called') return [...seen(command, answer, state), ...begun(command, answer, state)];
  return isOver(command, answer, state) ? [{ phase: 'over', state }] : [];
}

/**
 * A job copies the volume to a backup, also while it is attached: a snapshot is taken for it alone, when nothing else is under way, and deleted
 * again. That goes on where nobody waits for it any more.
 */
function copyMoves(answer: Answer, phase: Phase, state: State): Move[] {
  const parts = partsOf(state);
  const { word, snapshots, work } = parts;
  const to = (isAllowed: boolean, next: Phase, change: Partial<Parts> = {}): Move[] =>
    isAllowed ? [{ phase: next, state: stateText({ ...parts, ...change }) }] : [];
  const isRefused = to(answer.kind === 'error', 'over');
  if (phase === 'called') return [...isRefused, ...to(word !== 'absent', 'begun')];
  if (phase === 'begun') return [...isRefused, ...to(isFree(parts), 'taking', { work: 'takes own' })];
  if (phase === 'taking') return to(work !== 'takes own', 'taken');
  if (phase === 'taken') return to(isFree(parts) && snapshots.includes('own'), 'dropping', { work: 'drops own' });
  return to(work !== 'drops own', 'over');
}

/** Where the answer was only read off the state. */
function seen(command: VolumeCommand, answer: Answer, state: State): Move[] {
  const isSo =
    (answer.kind === 'ok' && hasNothingToDo(command, partsOf(state))) ||
    (answer.kind === 'state' && answer.state === (command.name === 'list' ? withoutSnapshots(state) : state)) ||
    (answer.kind === 'error' && refuses(command, answer.code, partsOf(state)));
  return isSo ? [{ phase: 'over', state }] : [];
}

function hasNothingToDo(command: VolumeCommand, parts: Parts): boolean {
  const { word, isGrown, isMember, snapshots, work } = parts;
  switch (command.name) {
    case 'extend': // one that has the size already stays as it is
      return isGrown && work === '' && (word === 'available' || word === 'attached');
    case 'join':
      return isMember;
    case 'dismiss':
      return word !== 'absent' && word !== 'error_extending';
    case 'take':
      return !isMember;
    case 'drop':
      return !snapshots.includes(command.snapshot);
    case 'create':
    case 'delete':
    case 'attach':
    case 'detach':
    case 'leave':
    case 'copy':
    case 'show':
    case 'list':
    default:
      return false;
  }
}

/** Nothing is under way for it. */
function isFree({ word, work }: Parts): boolean {
  return work === '' && /^(available|attached|error_extending)$/.test(word);
}

function refuses(command: VolumeCommand, code: string, parts: Parts): boolean {
  const { name } = command;
  const { word, isGrown, isTyped, isMember, instance, snapshots, work } = parts;
  const isBound = instance !== '';
  const isAbsent = word === 'absent';
  const ofGroup = name === 'take' || name === 'drop';
  switch (code) {
    case 'VolumeNotFound':
      return isAbsent && name !== 'create' && !ofGroup;
    case 'VolumeExists': {
      const isOther = name === 'create' && (command.isPinned || command.isTyped !== isTyped);
      return name === 'create' && (word === 'deleting' || isGrown || (isOther && !isAbsent));
    }
    case 'TypeNotFound':
      return name === 'create' && command.isTyped && isAbsent;
    case 'InvalidArgument': // storage that refuses to grow: see `error_extending`
      return name === 'extend' && word === 'error_extending';
    case 'BackendUnavailable': // no node has begun to accept volumes
      return (name === 'create' && isAbsent) || name === 'extend';
    case 'NoNodeUp':
    case 'NodeDown':
      return name === 'create' && isAbsent;
    case 'VolumeAttached':
      return (name === 'attach' || name === 'delete') && isBound;
    case 'VolumeInGroup':
      return name === 'delete' && isMember;
    case 'VolumeNotInGroup':
      return name === 'leave' && !isMember && !isAbsent;
    case 'VolumeHasSnapshots':
      return name === 'delete' && (snapshots.length > 0 || work !== '');
    case 'GroupOnOtherBackend': // of others of the group
      return (name === 'join' && !isMember && !isAbsent) || name === 'take';
    case 'GroupEmpty':
      return name === 'take' && !isMember;
    case 'GroupSnapshotNotFound':
      return name === 'drop' && !snapshots.includes(command.snapshot) && work !== `takes ${command.snapshot}`;
    case 'WrongStatus':
      if (ofGroup) return true; // of another volume
      if (name === 'join') return !isMember && !isAbsent && !isFree(parts);
      if (name === 'extend') return /^(creating|deleting|attaching|detaching)$/.test(word) || work !== '';
      if (name === 'detach') return word === 'attaching' || (isBound && (word === 'extending' || work !== ''));
      if (name === 'delete') return word === 'creating' || (!isBound && (word === 'extending' || work !== ''));
      return name === 'attach' && !isBound && (/^(creating|deleting|extending)$/.test(word) || work !== '');
    case 'VolumeNotAttached':
      return name === 'detach' && !isBound && !isAbsent;
    default:
      return false;
  }
}

function begun(command: VolumeCommand, answer: Answer, state: State): Move[] {
  // Others deleted it meanwhile, which a create or an attach cannot tell from a loss.
  const isGone = answer.kind === 'error' && /^(VolumeNotFound|ChangeLost)$/.test(answer.code);
  const hasFailed = command.name === 'extend' && answer.kind === 'error' && answer.code === 'InvalidArgument';
  if (answer.kind === 'state' || (answer.kind === 'error' && !isGone && !hasFailed)) return [];
  // Nobody asks any more how one ended of which nothing is known; others are over at once.
  const isAtOnce = /^(join|leave|dismiss)$/.test(command.name);
  if (isAtOnce && isGone) return [];
  const phase = answer.kind === 'unknown' || isAtOnce ? 'over' : 'begun';
  return afterBegin(command, partsOf(state)).map((after) => ({ phase, state: stateText(after) }));
}

function afterBegin(command: VolumeCommand, parts: Parts): Parts[] {
  const { word, instance, isMember, snapshots, work } = parts;
  const to = (isAllowed: boolean, change: Partial<Parts>) => (isAllowed ? [{ ...parts, ...change }] : []);
  switch (command.name) {
    case 'create': // one that exists was requested before
      if (word === 'absent') return [{ ...absent, word: 'creating', isTyped: command.isTyped }];
      return to(word !== 'deleting', {});
    case 'attach': {
      const isUnderWay = word === 'attaching' && instance === command.instance;
      const isReady = isFree(parts) && instance === '';
      return to(isReady || isUnderWay, { word: 'attaching', instance: command.instance });
    }
    case 'detach':
      return to((isFree(parts) && instance !== '') || word === 'detaching', { word: 'detaching' });
    case 'extend':
      return to(isFree(parts) || word === 'extending', { word: 'extending' });
    case 'delete': {
      const isReady = isFree(parts) && instance === '' && snapshots.length === 0;
      return to((isReady && !isMember) || word === 'deleting', { word: 'deleting' });
    }
    case 'join':
      return to(isFree(parts), { isMember: true });
    case 'leave':
      return to(isMember, { isMember: false });
    case 'dismiss':
      return to(word === 'error_extending' && work === '', { word: instance === '' ? 'available' : 'attached' });
    case 'take':
      return to(isMember && isFree(parts), { work: `takes ${command.snapshot}` });
    case 'drop':
      return to(snapshots.includes(command.snapshot) && isFree(parts), { work: `drops ${command.snapshot}` });
    case 'copy':
    case 'show':
    case 'list':
    default:
      return [];
  }
}

function isOver(command: VolumeCommand, answer: Answer, state: State): boolean {
  const { name } = command;
  const { word, instance, work } = partsOf(state);
  if (answer.kind === 'error') {
    // Others detached it meanwhile, and perhaps attached it elsewhere: its host must not count it as attached.
    if (name === 'attach' && answer.code === 'ChangeLost') return instance !== command.instance;
    if (name === 'extend' && answer.code === 'InvalidArgument') return word !== 'extending';
    return name !== 'delete' && word === 'absent'; // others deleted it meanwhile
  }
  if (name === 'take' || name === 'drop') return work !== `${name}s ${command.snapshot}`;
  const under: Partial<Record<VolumeCommand['name'], string>> = {
    create: 'creating',
    attach: 'attaching',
    detach: 'detaching',
    delete: 'deleting',
    extend: 'extending',
  };
  return word !== under[name] && (word !== 'absent' || name === 'delete');
}
