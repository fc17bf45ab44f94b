import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { LibvirtDomains, disksIn } from '../../../lib/connectors/libvirt.ts';
import { ChildProcesses, type RunOptions } from '../../../lib/process.ts';

const execute = promisify(execFile);
const realQemu =
  process.getuid?.() === 0 &&
  ['virsh', 'virt-qemu-run', 'qemu-system-x86_64'].every((command) => existsSync(`/usr/bin/${command}`));
const withQemu = realQemu ? test : test.skip;

/** The real door to a virsh of the test's own. */
class WithVirsh extends ChildProcesses {
  private readonly directory: string;

  /** `directory` has that virsh. */
  constructor(directory: string) {
    super();
    this.directory = directory;
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}) {
    return super.run(command, args, { ...options, env: { PATH: `${this.directory}:${process.env['PATH']}` } });
  }
}

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-libvirt-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * libvirt's QEMU driver inside virsh itself, with a domain "guest" that is defined; nothing else on the host sees it. The driver
 * asks for a user that comes with libvirt's daemon: virsh sees it, nobody else does.
 */
async function qemu(t: ExecutionContext) {
  const directory = await directoryFor(t);
  const uri = `qemu:///embed?root=${directory}`;
  for (const [file, user] of [
    ['passwd', 'libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin'],
    ['group', 'libvirt-qemu:x:64055:'],
  ] as const) {
    await writeFile(join(directory, file), `${await readFile(`/etc/${file}`, 'utf8')}${user}\n`);
  }
  await writeFile(
    join(directory, 'virsh'),
    `#!/bin/sh
if [ -z "$apart" ]; then apart=yes exec unshare --mount "$0" "$@"; fi
mount --bind ${directory}/passwd /etc/passwd && mount --bind ${directory}/group /etc/group && exec /usr/bin/virsh "$@"
`,
    { mode: 0o755 },
  );
  const virsh = async (...args: string[]) =>
    (await execute(join(directory, 'virsh'), ['-q', '-c', uri, ...args])).stdout;
  await mkdir(join(directory, 'etc'));
  await writeFile(
    join(directory, 'etc/qemu.conf'),
    'user="root"\ngroup="root"\nsecurity_driver="none"\ncgroup_controllers=[]\nnamespaces=[]\nremember_owner=0\nstdio_handler="file"\n',
  );
  const definition = join(directory, 'guest.xml');
  await writeFile(
    definition,
    `<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>`,
  );
  await virsh('define', definition);
  return { domains: new LibvirtDomains({ uri }, { processes: new WithVirsh(directory) }), virsh };
}

withQemu(
  'real libvirt: the definition of a domain gets a raw disk without page cache, once, and loses it',
  async (t) => {
    const { domains, virsh } = await qemu(t);
    await domains.attach('guest', '/dev/etherd/e7.1', 'vdb');
    await domains.attach('guest', '/dev/etherd/e7.1', 'vdb');
    const xml = await virsh('dumpxml', 'guest', '--inactive');
    t.is(xml.split('<disk ').length, 2);
    t.regex(xml, /<disk type='block' device='disk'>\s*<driver name='qemu' type='raw' cache='none' io='native'\/>/);
    t.regex(xml, /<source dev='\/dev\/etherd\/e7\.1'\/>\s*<target dev='vdb' bus='virtio'\/>/);

    const error = await t.throwsAsync(domains.attach('guest', '/dev/etherd/e7.2', 'vdb'), { code: 'DomainFailed' });
    t.is(error?.message, 'libvirt domain guest: its disk vdb is /dev/etherd/e7.1');

    await domains.detach('guest', '/dev/etherd/e7.1');
    await domains.detach('guest', '/dev/etherd/e7.1');
    t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
  },
);

const withVirsh = existsSync('/usr/bin/virsh') ? test : test.skip;

withVirsh('real libvirt: a domain that does not exist', async (t) => {
  const domains = new LibvirtDomains({ uri: 'test:///default' }, { processes: new ChildProcesses() });
  const error = await t.throwsAsync(domains.attach('nobody', '/dev/etherd/e7.1', 'vdb'), { code: 'DomainFailed' });
  t.is(error?.message, "libvirt domain nobody: failed to get domain 'nobody'");
});

/** Not libvirt: a shell script named virsh, whose domain runs, keeps disks in a file a scope, and notes its arguments. */
async function fakeVirsh(t: ExecutionContext, { persistent, deaf = false }: { persistent: boolean; deaf?: boolean }) {
  const directory = await directoryFor(t);
  await writeFile(
    join(directory, 'virsh'),
    `#!/bin/sh
cd ${directory}; echo "$*" >>calls
[ "$1" = --connect ] && shift 3
case " $* " in *--config*|*--inactive*) file=config;; *) file=live;; esac
case $1 in
  dominfo) printf 'State:          running\\nPersistent:     ${persistent ? 'yes' : 'no'}\\n';;
  dumpxml) echo "<domain type='kvm'>"; cat $file 2>/dev/null; echo '</domain>';;
  attach-disk) echo "<disk type='block'><source dev='$3'/><target dev='$4' bus='virtio'/></disk>" >>$file;;
  detach-disk) ${deaf ? 'true' : `sed -i "/'$3'/d" $file`};;
esac
`,
    { mode: 0o755 },
  );
  const domains = new LibvirtDomains(
    { uri: 'fake:///', detachTimeoutMs: 300 },
    { processes: new WithVirsh(directory) },
  );
  const calls = async () =>
    (await readFile(join(directory, 'calls'), 'utf8')).replaceAll('--connect fake:/// --quiet ', '');
  return { domains, calls };
}

test('fake virsh: a running domain with a definition gets and loses the disk in both', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: true });
  await domains.attach('guest', '/dev/etherd/e7.1', 'vdb');
  await domains.detach('guest', '/dev/etherd/e7.1');
  const changes = (await calls()).split('\n').filter((line) => line.includes('-disk'));
  t.deepEqual(
    changes.map((line) => line.split(' --sourcetype')[0]),
    [
      'attach-disk guest /dev/etherd/e7.1 vdb --live',
      'attach-disk guest /dev/etherd/e7.1 vdb --config',
      'detach-disk guest vdb --live',
      'detach-disk guest vdb --config',
    ],
  );
});

test('fake virsh: a domain without a definition gets the disk only in the guest', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: false });
  await domains.attach('guest', '/dev/etherd/e7.1', 'vdb');
  t.false((await calls()).includes('--config'));
});

test('fake virsh: detach fails for a guest that keeps the disk', async (t) => {
  const { domains } = await fakeVirsh(t, { persistent: false, deaf: true });
  await domains.attach('guest', '/dev/etherd/e7.1', 'vdb');
  const error = await t.throwsAsync(domains.detach('guest', '/dev/etherd/e7.1'), { code: 'DomainFailed' });
  t.is(error?.message, 'libvirt domain guest: its guest has not released disk vdb within 0.3 s');
});

test('a missing virsh is CommandNotFound', async (t) => {
  class WithoutPath extends ChildProcesses {
    override async run(command: string, args: readonly string[]) {
      return super.run(command, args, { env: { PATH: '/nonexistent' } });
    }
  }
  const domains = new LibvirtDomains({ uri: 'test:///default' }, { processes: new WithoutPath() });
  await t.throwsAsync(domains.attach('guest', '/dev/etherd/e7.1', 'vdb'), { code: 'CommandNotFound' });
});

test('the disks of a domain are read from its XML; incomplete XML is an error', (t) => {
  const xml = `<domain type='kvm' id='1'>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/var/lib/my images/root.img' index='2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='block' device='disk'>
      <source dev='/dev/etherd/e7.1'/>
      <target dev='vdb' bus='virtio'/>
    </disk>
    <disk type='network' device='disk'>
      <source protocol='rbd' name='pool/image'/>
      <target dev='vdc' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sda' bus='sata'/>
    </disk>
  </devices>
</domain>
`;
  t.deepEqual(
    [...disksIn(xml)],
    [
      ['vda', '/var/lib/my images/root.img'],
      ['vdb', '/dev/etherd/e7.1'],
      ['vdc', 'pool/image'],
      ['sda', ''],
    ],
  );
  for (let end = 0; end < xml.length - 2; end += 1) {
    t.throws(() => disksIn(xml.slice(0, end)), { code: 'AnswerUnreadable' });
  }
});
