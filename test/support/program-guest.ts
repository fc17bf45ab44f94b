import { existsSync, globSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';

const kernel = globSync('/boot/vmlinuz-*-cloud-amd64').at(-1) ?? '';
const modules = join('/lib/modules', kernel.replace('/boot/vmlinuz-', ''), 'kernel');
const busybox = '/usr/bin/busybox';
const qemu = '/usr/bin/qemu-system-x86_64';
const searched = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export interface GuestOptions {
  /** Modules of the kernel, by paths below `kernel` without .ko, each after those that it needs. */
  modules: readonly string[];
  /** Programs of this host that the guest has with their libraries, by name or path. */
  programs: readonly string[];
  /** Directories and files that the guest has, by their place there. */
  files?: Readonly<Record<string, string>>;
  /** Of the kernel. */
  arguments?: string;
  /** A script of sh, for which Node.js and busybox are there. */
  script: string;
  memoryMiB?: number;
  timeoutMs?: number;
}

/** Why no such guest can run here; undefined where one can. */
export function withoutProgramGuest(programs: readonly string[]): string | undefined {
  const isStatic = existsSync('/usr/share/doc/busybox-static');
  const isReady = kernel !== '' && isStatic && [qemu, '/usr/bin/cpio'].every((file) => existsSync(file));
  if (!isReady) return 'needs qemu-system-x86, linux-image-cloud-amd64, busybox-static and cpio';
  const missing = programs.filter((name) => pathOf(name) === undefined);
  return missing.length === 0 ? undefined : `needs the programs ${missing.join(', ')}`;
}

/**
 * Runs a script on a machine that QEMU emulates, with Debian's cloud kernel, a root directory in memory and nothing of this host but
 * copies. Node.js starts there in some seconds, and computes about seventy times slower than here. Returns what the script printed, and
 * its exit code.
 */
export async function runInGuest(options: GuestOptions): Promise<{ output: string; status: number | undefined }> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-guest-'));
  try {
    const initramfs = await makeInitramfs(directory, options);
    const boot = 'console=ttyS0 quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=1 panic=-1';
    const machine = `-machine pc -accel tcg -m ${options.memoryMiB ?? 1024} -nographic -no-reboot -nic none`.split(' ');
    const { stdout } = await execa(
      qemu,
      machine.concat('-kernel', kernel, '-initrd', initramfs, '-append', `${boot} ${options.arguments ?? ''}`),
      { stdin: 'ignore', timeout: options.timeoutMs ?? 10 * 60_000, killSignal: 'SIGKILL', reject: false },
    );
    const output = stdout.replaceAll('\r', '');
    const [, text = output] = /\nbegin\n([^]*?)(?:\nexit=\d+\n|$)/.exec(output) ?? [];
    const status = /\nexit=(\d+)\n/.exec(output)?.[1];
    return { output: text, status: status === undefined ? undefined : Number(status) };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function makeInitramfs(directory: string, options: GuestOptions): Promise<string> {
  const root = join(directory, 'root');
  const names = ['bin', 'usr/local/bin', 'usr/sbin', 'proc', 'sys', 'dev', 'run', 'tmp', 'etc', 'modules', 'lib64'];
  for (const name of names) await mkdir(join(root, name), { recursive: true });
  await copyFile(busybox, join(root, 'bin/busybox'));
  for (const module of options.modules) {
    await copyFile(join(modules, `${module}.ko`), join(root, 'modules', `${basename(module)}.ko`));
  }
  for (const program of [process.execPath, '/bin/sh', ...options.programs])
    await copyProgram(root, pathOf(program) ?? program);
  for (const [place, from] of Object.entries(options.files ?? {})) {
    await mkdir(join(root, dirname(place)), { recursive: true });
    // Programs of a bundle are run by the Node.js that is there already.
    const filter = (file: string) => basename(file) !== 'node';
    await cp(from, join(root, place), { recursive: true, dereference: true, filter });
  }
  await writeFile(join(root, 'init'), initOf(options));
  await writeFile(join(root, 'script'), options.script);
  await chmod(join(root, 'init'), 0o755);
  const file = join(directory, 'initramfs.cpio');
  await execa('sh', ['-ec', `find . | cpio --quiet -o -H newc >${file}`], { cwd: root });
  return file;
}

/** Programs of this host come before those of busybox, whose own shell would not look for them. */
function initOf({ modules: list }: GuestOptions): string {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/local/bin:/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
ip link set lo up
for module in ${list.map((module) => basename(module)).join(' ')}; do insmod /modules/$module.ko; done
echo
echo begin
/usr/local/bin/sh /script 2>&1
status=$?
echo
echo "exit=$status"
poweroff -f
`;
}

async function copyProgram(root: string, file: string): Promise<void> {
  await cp(file, join(root, 'usr/local/bin', basename(file)), { dereference: true });
  const { stdout, exitCode } = await execa('ldd', [file], { reject: false });
  if (exitCode !== 0) return; // a script, or static
  for (const [library] of stdout.matchAll(/(?<= )\/lib\S+/g)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await cp(library, join(root, library), { dereference: true, force: true });
  }
  const [loader] = /\/lib64\/\S+/.exec(stdout) ?? [];
  if (loader !== undefined) await cp(loader, join(root, loader), { dereference: true, force: true });
}

function pathOf(name: string): string | undefined {
  if (name.startsWith('/')) return existsSync(name) ? name : undefined;
  return searched.map((directory) => join(directory, name)).find((file) => existsSync(file));
}
