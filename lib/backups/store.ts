import { z } from 'zod';
import { errors } from '../errors.ts';
import { isId } from '../models/id.ts';
import type { Backup, BackupNotes, Piece } from './backup.ts';

/** Writes the data of a backup that is being made. Disposed without finish(), it leaves what is of no use. */
export interface BackupWriter extends AsyncDisposable {
  /** What the backup has itself, one after the other. */
  append(data: Buffer): Promise<void>;
  /** The next piece of the volume, wherever its data are. */
  note(piece: Piece): Promise<void>;
  /** All of it is durable. */
  finish(): Promise<void>;
}

/** Reads what a backup has itself. */
export interface BackupReader extends AsyncDisposable {
  /** Returns that many bytes, or what there is of them. */
  read(offset: number, length: number): Promise<Buffer>;
}

const parentSchema = z.object({ parent: z.string().refine(isId).nullable() });

/**
 * Where backups are kept: each needs nothing but itself and the backups before it, no Redis. Every call throws BackupStoreUnavailable where
 * a service does not answer or may not be used.
 */
export interface BackupStore {
  /** As errors name it. */
  readonly place: string;
  /** Throws BackupNotFound, AnswerUnreadable. */
  show(id: string): Promise<Backup>;
  /** The ids of all backups, also of those that cannot be read or are being removed. */
  ids(): Promise<string[]>;
  /** Every backup, the oldest first; those that cannot be read go to `onUnreadable`. */
  list(onUnreadable?: (id: string, reason: string) => void): Promise<Backup[]>;
  /** Makes a backup without data, which names its parent: that stays from now on. Throws BackupExists, BackupNotFound. */
  create(backup: Backup): Promise<void>;
  /** Replaces what a backup says of itself; its data are durable before. */
  describe(backup: Backup): Promise<void>;
  /**
   * Replaces what people note of a backup that nothing is under way for. One that is being removed meanwhile stays so. Throws BackupNotFound,
   * BackupNotReady, AnswerUnreadable.
   */
  amend(id: string, changes: BackupNotes): Promise<Backup>;
  /** What an earlier run has written is gone. */
  write(id: string, signal: AbortSignal): Promise<BackupWriter>;
  /** The pieces of a backup, in the order of the volume. Throws BackupDamaged. */
  pieces(id: string): AsyncGenerator<Piece>;
  /** Throws BackupDamaged. */
  open(id: string, signal: AbortSignal): Promise<BackupReader>;
  /**
   * Also what a removal that was interrupted has left. Returns whether there was anything. Throws BackupNeeded naming those that begin with
   * it.
   */
  remove(id: string): Promise<boolean>;
}

/** In the folder of a backup: what it says of itself. */
export const description = 'backup.json';
/** In its place while a backup is removed: none is made that needs it. */
export const leaving = 'leaving.json';

/**
 * In the folder of a backup: the name of what says that another one begins with it, so that a removal looks at these alone. It is there
 * before the other one is, and may outlive it.
 */
export function childMark(child: string): string {
  return `needed-by-${child}`;
}

/** The child that a name marks, as a list of one or none. */
export function childIn(name: string): string[] {
  const child = name.startsWith(childMark('')) ? name.slice(childMark('').length) : '';
  return isId(child) ? [child] : [];
}

/** The parent that a description names, whatever else it has. */
export function parentIn(text: string): string | undefined {
  try {
    return parentSchema.parse(JSON.parse(text)).parent ?? undefined;
  } catch {
    return undefined;
  }
}

/** The oldest first. */
export function byAge(backups: readonly Backup[]): Backup[] {
  return backups.toSorted((one, other) => one.createTime - other.createTime || (one.id < other.id ? -1 : 1));
}

/** Throws BackupNotReady for one that gets its data: its node describes it then. */
export function amended(backup: Backup, changes: BackupNotes): Backup {
  if (backup.status === 'creating') throw errors.backupNotReady(backup.id);
  return { ...backup, ...changes };
}
