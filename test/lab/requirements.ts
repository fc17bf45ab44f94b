import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import { hasWideRegisters } from './uml.ts';

/** The programs of the lab with their Debian packages. */
const packages = {
  'linux.uml': 'user-mode-linux',
  ip: 'iproute2',
  socat: 'socat',
  'redis-server': 'redis-server',
  lvm: 'lvm2',
  vblade: 'vblade',
  'aoe-stat': 'aoetools',
  ethtool: 'ethtool',
  modprobe: 'kmod',
  'mkfs.xfs': 'xfsprogs',
  'mkfs.btrfs': 'btrfs-progs',
};

const directories = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** Returns a line with the reason why no lab can run here and the fix; undefined if one can run. */
export async function missingForLab(): Promise<string | undefined> {
  if (process.getuid?.() !== 0)
    return 'a lab of machines needs root (network namespaces and taps): run the tests with sudo';
  const compiler = (await hasWideRegisters()) ? { cc: 'gcc libc6-dev' } : {};
  const missing = await missingOf({ ...packages, ...compiler });
  if (missing.length > 0) return `a lab of machines needs more packages: apt-get install ${missing.join(' ')}`;
  if (!(await isThere('/dev/net/tun'))) return 'a lab of machines needs /dev/net/tun: modprobe tun';
  return undefined;
}

/** The same for a lab with hosts that have open-iscsi. The kernel's target needs no package. */
export async function missingForIscsi(target: 'iscsi-tgt' | 'iscsi-lio' = 'iscsi-tgt'): Promise<string | undefined> {
  const tgt = target === 'iscsi-tgt' ? { tgtd: 'tgt', tgtadm: 'tgt' } : {};
  const missing = await missingOf({ ...tgt, iscsid: 'open-iscsi', iscsiadm: 'open-iscsi' });
  if (missing.length === 0) return missingForLab();
  return `a lab with iSCSI needs more packages: apt-get install ${[...new Set(missing)].join(' ')}`;
}

/** The same for a lab with hosts that attach by os-brick, over the kernel's own target. */
export async function missingForOsBrick(): Promise<string | undefined> {
  const modules = ['os_brick', 'cinderclient'].map((name) => `/usr/lib/python3/dist-packages/${name}/__init__.py`);
  const areThere = await Promise.all(modules.map((file) => isThere(file)));
  if (areThere.every((one) => one)) return missingForIscsi('iscsi-lio');
  return 'a lab with os-brick needs more packages: apt-get install python3-os-brick python3-cinderclient';
}

/** The same for a lab with the kernel's own target, and hosts by libiscsi. */
export async function missingForLio(): Promise<string | undefined> {
  const missing = await missingOf({
    'iscsi-inq': 'libiscsi-bin',
    'qemu-io': 'qemu-utils qemu-block-extra',
    targetctl: 'python3-rtslib-fb',
  });
  if (missing.length === 0) return missingForLab();
  return `a lab with LIO needs more packages: apt-get install ${missing.join(' ')}`;
}

/** The same for a lab in which every target exports volumes. */
export async function missingForPairs(): Promise<string | undefined> {
  const missing = await missingOf({ tgtd: 'tgt', tgtadm: 'tgt' });
  if (missing.length === 0) return missingForLio();
  return `a lab with iSCSI needs more packages: apt-get install ${missing.join(' ')}`;
}

async function missingOf(programs: Record<string, string>): Promise<string[]> {
  const missing: string[] = [];
  for (const [program, debianPackage] of Object.entries(programs)) {
    if (!(await isInstalled(program))) missing.push(debianPackage);
  }
  return missing;
}

async function isInstalled(program: string): Promise<boolean> {
  for (const directory of directories) {
    if (await isThere(path.join(directory, program), constants.X_OK)) return true;
  }
  return false;
}

async function isThere(file: string, mode: number = constants.F_OK): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}
