import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { until } from './until.ts';

const commands = ['/usr/bin/virsh', '/usr/sbin/libvirtd', '/usr/bin/qemu-system-x86_64', '/usr/bin/unshare'];

/** Why no libvirtd can run here; undefined where one can. */
export const withoutLibvirtd =
  process.getuid?.() === 0 && commands.every((command) => existsSync(command))
    ? undefined
    : 'needs root, libvirt-daemon, libvirt-daemon-driver-qemu, libvirt-clients and qemu-system-x86';

/** For a machine without the services of a distribution. */
export const qemuConf =
  'user="root"\ngroup="root"\nsecurity_driver="none"\ncgroup_controllers=[]\nnamespaces=[]\nremember_owner=0\nstdio_handler="file"\n';

/** Its entries in /etc/passwd and /etc/group: libvirtd asks for that user. */
export const libvirtUser = {
  passwd: 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin',
  group: 'libvirt-qemu:x:64055:',
};

/** Where libvirtd has its files: a directory of the test each. */
const places = ['/etc/libvirt', '/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/run/libvirt'];

/**
 * A libvirtd with its own files in a mount namespace, which nothing else on the host sees. Its guests end with it. It asks for a
 * user that comes with the packages of its service, which only it sees.
 */
export class Libvirtd {
  readonly directory: string;
  readonly uri: string;
  private end: () => Promise<void> = async () => {};

  private constructor(directory: string) {
    this.directory = directory;
    this.uri = `qemu:///system?socket=${directory}/libvirt-sock`;
  }

  static async create(): Promise<Libvirtd> {
    const daemon = new Libvirtd(await mkdtemp(join(tmpdir(), 'libvirtd-')));
    try {
      await daemon.start();
    } catch (error) {
      await daemon.remove();
      throw error;
    }
    return daemon;
  }

  async virsh(...args: string[]): Promise<string> {
    return (await execa('virsh', ['-q', '-c', this.uri, ...args], { timeout: 120_000 })).stdout;
  }

  /** Defines a secret for `auth` of disks. `value` is in base64, as the key of a Ceph user. */
  async defineSecret(uuid: string, usage: string, value: string, kind: 'ceph' | 'iscsi' = 'ceph'): Promise<void> {
    const file = join(this.directory, 'secret.xml');
    const names = kind === 'ceph' ? `<name>${usage}</name>` : `<target>${usage}</target>`;
    await writeFile(file, `<secret><uuid>${uuid}</uuid><usage type='${kind}'>${names}</usage></secret>`);
    await this.virsh('secret-define', file);
    const key = join(this.directory, 'key');
    await writeFile(key, value, { mode: 0o600 });
    await this.virsh('secret-set-value', uuid, '--file', key);
    await rm(key);
  }

  async remove(): Promise<void> {
    await this.end();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async start(): Promise<void> {
    const { directory } = this;
    const files = [
      ['passwd', `${await readFile('/etc/passwd', 'utf8')}${libvirtUser.passwd}\n`],
      ['group', `${await readFile('/etc/group', 'utf8')}${libvirtUser.group}\n`],
      ['libvirtd.conf', `unix_sock_dir="${directory}"\nauth_unix_rw="none"\nauth_unix_ro="none"\n`],
    ] as const;
    for (const [name, content] of files) await writeFile(join(directory, name), content);
    for (const place of places) await mkdir(join(directory, 'root', place), { recursive: true });
    await writeFile(join(directory, 'root/etc/libvirt/qemu.conf'), qemuConf);
    const mounts = [
      ...['passwd', 'group'].map((name) => `mount --bind ${directory}/${name} /etc/${name}`),
      ...places.map((place) => `mkdir -p ${place}; mount --bind ${directory}/root${place} ${place}`),
    ];
    // The first process of the namespace, a shell, collects what daemons leave, and ends with its input: so do guests, however this test ends.
    const run = `${mounts.join('\n')}\nlibvirtd --config ${directory}/libvirtd.conf --pid-file ${directory}/pid &\ncat`;
    const args = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-ec', run];
    const child = execa('unshare', args, { reject: false, all: true, stdin: 'pipe', buffer: { all: true } });
    this.end = async () => {
      child.stdin.end();
      await child;
    };
    await until(() => existsSync(join(directory, 'libvirt-sock')), 'libvirtd listens', 60_000);
  }
}
