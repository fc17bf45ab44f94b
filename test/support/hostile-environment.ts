import { ChildProcesses } from '../../lib/process.ts';

/**
 * Loaded before a program or a test file, this makes the product start every child process as if somebody had started it with
 * the environment below, which changes what tools print and do. Helpers of tests keep theirs.
 */
const hostileEnvironment: Readonly<Record<string, string>> = {
  HOME: '/proc/1',
  LANG: 'de_DE.UTF-8',
  LC_ALL: 'de_DE.UTF-8',
  LANGUAGE: 'de:fr',
  TZ: 'Pacific/Apia',
  TERM: 'xterm-256color',
  COLUMNS: '20',
  TMPDIR: '/nonexistent',
  POSIXLY_CORRECT: '1',
  BASH_ENV: '/dev/full',
  ENV: '/dev/full',
  IFS: ',',
  PERL5OPT: '-Mno_such_module',
  PERL5LIB: '/nonexistent',
  LD_LIBRARY_PATH: '/nonexistent',
  LD_PRELOAD: '/nonexistent.so',
  http_proxy: 'http://192.0.2.1:1',
  https_proxy: 'http://192.0.2.1:1',
  LVM_SYSTEM_DIR: '/nonexistent',
  LVM_COMMAND_PROFILE: 'no_such_profile',
  LVM_LOG_FILE_EPOCH: 'not/an/epoch',
  LVM_LOG_FILE_MAX_LINES: '1',
  LVM_EXPECTED_EXIT_STATUS: '>0',
  LVM_RUN_BY_DMEVENTD: '1',
  LVM_SUPPRESS_LOCKING_FAILURE_MESSAGES: '1',
  LVM_VG_NAME: 'other',
  LVM_REPORT_FD: '2',
  LVM_OUT_FD: '2',
  LVM_ERR_FD: '1',
  DM_DISABLE_UDEV: '1',
  DM_DEFAULT_NAME_MANGLING_MODE: 'hex',
  DM_DEBUG_WITH_LINE_NUMBERS: '1',
  DM_ABORT_ON_INTERNAL_ERRORS: '1',
  LIBBLKID_DEBUG: 'all',
  BLKID_FILE: '/nonexistent',
  LIBMOUNT_DEBUG: 'all',
  LIBVIRT_DEFAULT_URI: 'test:///default',
  VIRSH_DEFAULT_CONNECT_URI: 'test:///default',
  LIBVIRT_DEBUG: '1',
  LIBVIRT_LOG_OUTPUTS: '1:stderr',
  SYSTEMD_COLORS: '1',
  SYSTEMD_PAGER: 'false',
  SYSTEMD_LOG_LEVEL: 'debug',
  MODPROBE_OPTIONS: '--no-such-option',
};

/** As cron gives it, and with a directory that is relative. */
function withoutSbin(path: string): string {
  return ['bin', ...path.split(':').filter((directory) => !directory.endsWith('/sbin'))].join(':');
}

/** Runs the part of `start` that begins the child. */
function underIt<T>(start: () => T): T {
  const before = process.env;
  process.env = { ...before, ...hostileEnvironment, PATH: withoutSbin(before['PATH'] ?? '') };
  try {
    return start();
  } finally {
    process.env = before;
  }
}

const methods = ['run', 'runOnFile', 'detach', 'resident'] as const;
for (const name of methods) {
  const real: unknown = Reflect.get(ChildProcesses.prototype, name);
  if (typeof real !== 'function') throw new Error(`processes have no method ${name}`);
  Reflect.set(ChildProcesses.prototype, name, function (this: unknown, ...args: unknown[]): unknown {
    return underIt(() => Reflect.apply(real, this, args));
  });
}
