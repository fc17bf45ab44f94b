import { z } from 'zod';
import { faultSchema } from '../models/fault.ts';
import { isId } from '../models/id.ts';
import { maxSize } from '../volume-size.ts';

const id = z.string().refine(isId);

/** What a backup says of itself: the file `backup.json` in its directory. */
export const backupSchema = z.object({
  id,
  name: z.string(),
  /** `available`: it has all of its data; `error`: it gets none. */
  status: z.enum(['creating', 'available', 'error']),
  /** Why it has none. */
  failure: faultSchema.optional(),
  description: z.string().optional(),
  metadata: z.record(z.string(), z.string()).optional(),
  /** The volume that it is of, with its name and owner then. */
  volume: id,
  volumeName: z.string(),
  userId: z.string(),
  projectId: z.string(),
  /** The snapshot whose data it has, which may be gone; undefined: the volume as it was. */
  snapshot: id.optional(),
  /** The moment whose data it has, in milliseconds since the epoch; undefined: its creation. */
  dataTime: z.number().int().positive().optional(),
  /** The id of the key that the hosts of the volume encrypted it with; undefined: it is not encrypted, or not known. */
  encryptionKey: id.optional(),
  /** In GiB; 0: 100 MiB. */
  size: z.number().int().min(0).max(maxSize),
  /** Milliseconds since the epoch. */
  createTime: z.number().int().positive(),
  /** The backup that has what had not changed since; null: it is complete in itself. */
  parent: id.nullable(),
  /** Of the whole volume: SHA-256; null as long as it has no data. */
  checksum: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  /** Bytes of data that it has itself. */
  storedBytes: z.number().int().min(0),
});
export type Backup = z.infer<typeof backupSchema>;

/** What people note of a backup; '' = no description. */
export type BackupNotes = Partial<Pick<Backup, 'name' | 'description' | 'metadata'>>;

/** A volume is backed up in pieces of so many bytes; the last one can be shorter. */
export const pieceBytes = 4 * 2 ** 20;

/** Where the data of a piece are: in the file `data` of a backup, from that byte on; undefined: all of it is zeros. */
export interface Piece {
  /** SHA-256 as hexadecimal digits. */
  checksum: string;
  place: { backup: string; offset: number } | undefined;
}

/** A line of the file `pieces`. */
export function writePiece({ checksum, place }: Piece): string {
  return place === undefined ? `${checksum}\n` : `${checksum} ${place.backup} ${place.offset}\n`;
}

/** Undefined for a line that this version does not write. */
export function parsePiece(line: string): Piece | undefined {
  const [, checksum = '', backup, offset] = /^([0-9a-f]{64})(?: (\S+) (\d{1,15}))?$/.exec(line) ?? [];
  if (checksum === '') return undefined;
  if (backup === undefined) return { checksum, place: undefined };
  return isId(backup) ? { checksum, place: { backup, offset: Number(offset) } } : undefined;
}
