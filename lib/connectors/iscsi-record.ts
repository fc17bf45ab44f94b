import { chmod, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { IscsiAddress } from '../iscsi/address.ts';
import { absentAs, errorCode } from '../files.ts';
import type { Chap } from '../targets/target.ts';

/** Debian's open-iscsi has its records in the first, others in the second. */
export const recordDirectories: readonly string[] = ['/etc/iscsi/nodes', '/var/lib/iscsi/nodes'];

export interface RecordSettings {
  chap?: Chap | undefined;
  /** How many sessions with the target there may be; iscsiadm makes those that are missing. */
  sessions: number;
}

/**
 * Settings of the initiator that a volume needs, whatever iscsid.conf has for other targets: nothing logs in by itself after a boot,
 * its units are looked for, and the target need not authenticate itself.
 */
function settingsOf({ chap, sessions }: RecordSettings): ReadonlyMap<string, string | undefined> {
  return new Map([
    ['node.startup', 'manual'],
    ['node.conn[0].startup', 'manual'],
    ['node.leading_login', 'No'],
    ['node.session.nr_sessions', String(sessions)],
    ['node.session.scan', 'auto'],
    ['node.session.auth.authmethod', chap ? 'CHAP' : 'None'],
    ['node.session.auth.username', chap?.user],
    ['node.session.auth.password', chap?.secret],
    ['node.session.auth.username_in', undefined],
    ['node.session.auth.password_in', undefined],
  ]);
}

/** Returns a record with the settings of a volume. */
function withSettings(record: string, given: RecordSettings): string {
  const settings = settingsOf(given);
  const others = record.split('\n').filter((line) => {
    const name = line.split(' = ')[0]?.trim() ?? '';
    return !settings.has(name) && line.trim() !== '' && !line.startsWith('# END');
  });
  const set = [...settings].flatMap(([name, value]) => (value === undefined ? [] : [`${name} = ${value}`]));
  return [...others, ...set, '# END RECORD', ''].join('\n');
}

/**
 * Writes the settings into the record that iscsiadm has made. Not by iscsiadm: it takes a secret from its arguments alone, which
 * every user of the host can read. In place, for each other file of the directory would be a record as well. Returns whether there
 * is a record.
 */
export async function completeRecord(
  at: IscsiAddress,
  settings: RecordSettings,
  directories: readonly string[],
): Promise<boolean> {
  for (const file of await filesOf(at, directories)) {
    await chmod(file, 0o600);
    await writeFile(file, withSettings(await readFile(file, 'utf8'), settings));
    return true;
  }
  return false;
}

/** Whether this host has a record of the target, for whichever portal. Only root can see them. */
export async function hasRecord(targetName: string, directories: readonly string[]): Promise<boolean> {
  const counts = directories.map(async (directory) => (await namesIn(join(directory, targetName))).length);
  return (await Promise.all(counts)).some((count) => count > 0);
}

/** While the target has a session, iscsiadm removes no record of it. */
export async function removeRecords(targetName: string, directories: readonly string[]): Promise<void> {
  for (const directory of directories) await rm(join(directory, targetName), { recursive: true, force: true });
}

/** <target>/<ip>,<port>,<portal group>/<interface>, in older records a file without the last part. */
async function filesOf({ targetName, ip, port }: IscsiAddress, directories: readonly string[]): Promise<string[]> {
  const found = directories.map(async (directory) => {
    const names = (await namesIn(join(directory, targetName))).filter((name) => name.startsWith(`${ip},${port},`));
    const portals = names.map((name) => join(directory, targetName, name));
    return Promise.all(
      portals.map(async (portal) => ((await stat(portal)).isDirectory() ? join(portal, 'default') : portal)),
    );
  });
  return (await Promise.all(found)).flat();
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await absentAs([], readdir(directory));
  } catch (error) {
    if (errorCode(error) === 'EACCES') return [];
    throw error;
  }
}
