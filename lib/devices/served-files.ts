import { readAttribute } from '../files.ts';

/** Kinds of file systems whose answers come from another machine, or from a program. */
const served = /^(nfs|cifs|smb|ceph|fuse|9p|afs|autofs|lustre|gfs|ocfs|glusterfs|beegfs|gpfs|orangefs|pvfs|virtiofs)/;

/**
 * Whether an open file of a process is on a file system that can leave every examination of the file without an answer. True where that
 * is not known, as after "umount --lazy".
 */
export async function isServed(pid: string, descriptor: string): Promise<boolean> {
  const information = (await readAttribute(`/proc/${pid}/fdinfo/${descriptor}`)) ?? '';
  const [, mount = ''] = /^mnt_id:\s*(\d+)$/m.exec(information) ?? [];
  const type = fileSystemOf(mount, (await readAttribute(`/proc/${pid}/mountinfo`)) ?? '');
  return type === undefined || served.test(type);
}

/** Returns the kind of file system of a mount; see proc(5) for the table. */
function fileSystemOf(mount: string, mountinfo: string): string | undefined {
  const fields = mountinfo
    .split('\n')
    .map((row) => row.split(' '))
    .find(([id]) => id === mount);
  return fields?.[fields.indexOf('-', 6) + 1];
}
