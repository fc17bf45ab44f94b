import { userInfo } from 'node:os';

interface CurrentUser {
  name: string;
  /** From the user database, not from HOME; undefined for a user id without an entry. */
  home: string | undefined;
}

/** Returns the user that runs this process. */
export function currentUser(): CurrentUser {
  try {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir };
  } catch (error) {
    const hasNoEntry = error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR';
    if (!hasNoEntry) throw error;
    return { name: String(process.geteuid?.() ?? ''), home: undefined };
  }
}
