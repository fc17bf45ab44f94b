import { userInfo } from 'node:os';

interface Who {
  name: string;
  /** As the system has it for this user, whatever HOME says; none for a user id that has no entry. */
  home: string | undefined;
}

/** Who calls. */
export function whoCalls(): Who {
  try {
    const { username, homedir } = userInfo();
    return { name: username, home: homedir };
  } catch (error) {
    const isUnknown = error instanceof Error && 'code' in error && error.code === 'ERR_SYSTEM_ERROR';
    if (!isUnknown) throw error;
    return { name: String(process.geteuid?.() ?? ''), home: undefined };
  }
}
