import { readIfExistsSync } from '../files.ts';
import { unescaped } from './escapes.ts';

/** Kinds of file systems whose answers come from another machine, or from a program. */
const served = /^(nfs|cifs|smb|ceph|fuse|9p|afs|autofs|lustre|gfs|ocfs|glusterfs|beegfs|gpfs|orangefs|pvfs|virtiofs)/;

export interface Mount {
  /** Mount point, absolute. */
  path: string;
  /** Kind of file system, such as ext4. */
  type: string;
}

/** By mount id. */
export type Mounts = ReadonlyMap<string, Mount>;

/** Returns the mounts that a process sees; see proc(5) for the table. */
export function mountsOf(pid: string): Mounts {
  const rows = (readIfExistsSync(`/proc/${pid}/mountinfo`) ?? '').split('\n').map((row) => row.split(' '));
  return new Map(
    rows.map((fields) => {
      const [id = '', , , , path = ''] = fields;
      return [id, { path: unescaped(path), type: fields[fields.indexOf('-', 6) + 1] ?? '' }];
    }),
  );
}

/**
 * Whether files of a mount can leave every examination without an answer. True where the mount is not known, as after "umount --lazy".
 */
export function isServed(mount: Mount | undefined): boolean {
  return mount === undefined || served.test(mount.type);
}

/** Whether the file system of a path of this process is such a one. */
export function isServedPath(path: string): boolean {
  const above = [...mountsOf('self').values()].filter((mount) => isBelow(path, mount.path));
  // A later mount covers an earlier one of the same depth.
  return isServed(above.toSorted((one, other) => one.path.length - other.path.length).at(-1));
}

function isBelow(path: string, directory: string): boolean {
  return path.startsWith(directory.endsWith('/') ? directory : `${directory}/`);
}
