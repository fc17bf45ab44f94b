/** Where administration tools are. Daemons of cron, and users without root's PATH, do not have these. */
const systemDirectories = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/local/bin', '/usr/bin', '/bin'];

/**
 * Returns the environment of a child process: the same whatever started this process, and without its secrets, such as
 * BLOCKSTORE_REDIS_PASSWORD. Of its own environment only the search path is kept: locale, proxies, files in a home
 * directory, and variables of LVM, the device mapper, libvirt, systemd, Perl or the linker change no result. `extra` is
 * added.
 */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    LC_ALL: 'C',
    HOME: '/nonexistent',
    TERM: 'dumb',
    // LVM reports each descriptor that it inherits.
    LVM_SUPPRESS_FD_WARNINGS: '1',
    PATH: searchPath(process.env['PATH'] ?? ''),
    ...extra,
  };
}

function searchPath(inherited: string): string {
  const own = inherited.split(':').filter((directory) => directory.startsWith('/'));
  return [...new Set([...own, ...systemDirectories])].join(':');
}
