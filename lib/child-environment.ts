/** Where administration tools are. Daemons of cron, and users without root's PATH, do not have these. */
const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/** Passed on as they are: settings of LVM and the device mapper, the socket of systemd, the place of temporary files. */
const passed = ['LVM_SYSTEM_DIR', 'DM_DISABLE_UDEV', 'NOTIFY_SOCKET', 'TMPDIR'];

/**
 * Returns the environment of a child process: the same whatever started this process, so that locale, proxies and files in a
 * home directory change no result, and without its secrets, such as BLOCKSTORE_REDIS_PASSWORD. `extra` is added.
 */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const kept = passed.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return {
    ...Object.fromEntries(kept),
    LC_ALL: 'C',
    HOME: '/nonexistent',
    TERM: 'dumb',
    PATH: searchPath(process.env['PATH'] ?? ''),
    ...extra,
  };
}

function searchPath(inherited: string): string {
  const own = inherited.split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...own, ...systemDirectories])].join(':');
}
