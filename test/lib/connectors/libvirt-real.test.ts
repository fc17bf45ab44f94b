import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import test from 'ava';
import { LibvirtDomains } from '../../../lib/connectors/libvirt.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { sheepdogDisks } from '../../../lib/connectors/network-disks.ts';
import { makeQemu } from './embedded-libvirt.ts';
import { WithVirsh, directoryFor } from './with-virsh.ts';

const uuid = '00000000-0000-4000-8000-000000000001';
const realQemu =
  process.getuid?.() === 0 &&
  ['virsh', 'virt-qemu-run', 'qemu-system-x86_64'].every((command) => existsSync(`/usr/bin/${command}`));
const withQemu = realQemu ? test.serial : test.serial.skip;
/** One for all tests: libvirt examines the emulator for seconds at its first use of a directory. */
let place: ReturnType<typeof makeQemu> | undefined;
const qemu = () => (place ??= makeQemu());
test.after.always(async () => {
  if (place) await rm((await place).directory, { recursive: true, force: true });
});

const withVirsh = existsSync('/usr/bin/virsh') ? test : test.skip;

withQemu(
  'real libvirt: the definition of a domain gets a raw disk without page cache, once, and loses it',
  async (t) => {
    const { domains, virsh } = await qemu();
    const { uuid: guest } = await domains.lookup('guest');
    t.is(guest, (await virsh('domuuid', 'guest')).trim());
    await domains.attach(guest, '/dev/etherd/e7.1', 'vdb');
    await domains.attach(guest, '/dev/etherd/e7.1', 'vdb');
    const xml = await virsh('dumpxml', 'guest', '--inactive');
    t.is(xml.split('<disk ').length, 2);
    t.regex(xml, /<disk type='block' device='disk'>\s*<driver name='qemu' type='raw' cache='none' io='native'\/>/);
    t.regex(xml, /<source dev='\/dev\/etherd\/e7\.1'\/>\s*<target dev='vdb' bus='virtio'\/>/);

    const error = await t.throwsAsync(domains.attach(guest, '/dev/etherd/e7.2', 'vdb'), { code: 'DomainFailed' });
    t.is(error?.message, `libvirt domain ${guest}: its disk vdb is /dev/etherd/e7.1`);

    await domains.detach(guest, '/dev/etherd/e7.1');
    await domains.detach(guest, '/dev/etherd/e7.1');
    await domains.attach(guest, '/dev/etherd/e7.1', 'vdc', { readOnly: true });
    t.regex(await virsh('dumpxml', 'guest', '--inactive'), /<target dev='vdc' bus='virtio'\/>\s*<readonly\/>/);
    await domains.detach(guest, '/dev/etherd/e7.1');
    t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
  },
);

withQemu('real libvirt: a device that another domain or a snapshot has is not released', async (t) => {
  const { domains, virsh, define, directory } = await qemu();
  const { uuid: guest } = await domains.lookup('guest');
  await domains.attach(guest, '/dev/etherd/e7.1', 'vdb');
  const xml = await virsh('dumpxml', 'guest', '--inactive');
  // As of virt-clone, or of "virsh dumpxml", "undefine" and "define" without the UUID.
  await define(xml.replace(/<uuid>.*<\/uuid>/, '').replace('<name>guest<', '<name>a twin<'));
  t.like(await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), { code: 'DomainFailed' }), {
    message: 'libvirt domain a twin: it has /dev/etherd/e7.1 as its disk vdb as well',
    hint: "detach it there first: virsh detach-disk 'a twin' vdb --config, and --live while it runs",
  });
  await t.throwsAsync(domains.detach(uuid, '/dev/etherd/e7.1'), { message: /disk vdb as well/ }, 'undefined since');
  await t.throwsAsync(domains.attach(guest, '/dev/etherd/e7.1', 'vdb'), { message: /a twin/ });
  await virsh('undefine', 'a twin');

  const snapshot = join(directory, 'snapshot.xml');
  const head = "<name>s 1</name><state>shutoff</state><creationTime>1700000000</creationTime><memory snapshot='no'/>";
  const overlay = "<disk name='vdb' snapshot='external' type='file'><source file='/overlay'/></disk>";
  await writeFile(snapshot, `<domainsnapshot>${head}<disks>${overlay}</disks>${xml}</domainsnapshot>`);
  await virsh('snapshot-create', 'guest', snapshot, '--redefine');
  t.like(await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), { code: 'DomainFailed' }), {
    message: `libvirt domain ${guest}: its snapshot s 1 has disk vdb`,
  });
  t.true((await virsh('dumpxml', 'guest', '--inactive')).includes('/dev/etherd/e7.1'), 'nothing has changed');
  await t.notThrowsAsync(domains.detach(guest, '/dev/etherd/e7.10'), 'of no snapshot');
  // As a guest that is shut off has it: without what is below.
  await define(
    xml
      .replace("source dev='/dev/etherd/e7.1'", "source file='/overlay'")
      .replace("disk type='block'", "disk type='file'"),
  );
  await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), { message: /disk vdb writes to \/overlay since/ });
  await define(xml);
  await virsh('snapshot-delete', 'guest', 's 1', '--metadata');
  await domains.detach(guest, '/dev/etherd/e7.1');
  t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
});

withQemu('real libvirt: a device that another domain gets at its next start is not released', async (t) => {
  const { domains, virsh, define, directory } = await qemu();
  const { uuid: guest } = await domains.lookup('guest');
  const xml = await virsh('dumpxml', 'guest', '--inactive');
  t.deepEqual(await domains.disksOn('/dev/etherd/e7.1'), []);
  const overlay = join(directory, 'overlay.qcow2');
  await execa('qemu-img', 'create -q -u -f qcow2 -F raw -b /dev/etherd/e7.1'.split(' ').concat(overlay, '1M'));
  await execa('qemu-img', [
    'create',
    '-q',
    '-u',
    '-f',
    'qcow2',
    '-F',
    'qcow2',
    '-b',
    'overlay.qcow2',
    `${overlay}2`,
    '1M',
  ]);
  const disk = (type: string, source: string) =>
    `<disk type='${type}' device='disk'><source ${source}/><target dev='vdc'/></disk>`;
  for (const [name, text] of [
    ['by hand', disk('block', "dev='/dev/etherd/e7.1'")],
    ['of a partition', disk('block', "dev='/dev/etherd/e7.1p2'")],
    // As of "snapshot-create --no-metadata", while the guest is shut off.
    [
      'of an overlay',
      disk('file', `file='${overlay}'`).replace('<source', "<driver name='qemu' type='qcow2'/><source"),
    ],
    ['of two overlays', disk('file', `file='${overlay}2'`)],
  ] as const) {
    await define(
      xml
        .replace(/<uuid>.*<\/uuid>/, '')
        .replace('<name>guest<', '<name>a twin<')
        .replace('</devices>', `${text}</devices>`),
    );
    const uses = await domains.disksOn('/dev/etherd/e7.1');
    t.deepEqual(
      uses.map(({ name: domain, target }) => [domain, target]),
      [['a twin', 'vdc']],
      name,
    );
    t.deepEqual(await domains.disksOn('/dev/etherd/e7.10'), [], name);
    await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), { code: 'DomainFailed', message: /a twin/ }, name);
    await virsh('undefine', 'a twin');
  }
  // The guest itself, shut off: its definition names the overlay alone.
  await define(xml.replace('</devices>', `${disk('file', `file='${overlay}'`)}</devices>`));
  const refused = { code: 'DomainFailed', message: /its disk vdc writes to \/\S+overlay.qcow2 since a snapshot/ };
  await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), refused);
  await define(xml);
});

withVirsh('real libvirt: a running domain that has the device in its definition alone is found', async (t) => {
  const directory = await directoryFor(t);
  const domain = (disks: string) =>
    `<domain type='test'><name>one</name><uuid>${uuid}</uuid><memory>65536</memory><os><type>hvm</type></os>
    <devices>${disks}</devices></domain>`;
  const [running, defined] = [join(directory, 'running.xml'), join(directory, 'defined.xml')];
  await writeFile(running, `<node>${domain('')}</node>`);
  await writeFile(
    defined,
    domain("<disk type='block'><source dev='/dev/etherd/e7.1'/><target dev='vdb' bus='virtio'/></disk>"),
  );
  // The domains of this libvirt are new with each virsh: one of them defines and asks.
  await writeFile(
    join(directory, 'virsh'),
    `#!/bin/sh
case "$4" in *uri) exec /usr/bin/virsh "$1" "$2" "$3" "define ${defined}; $4";; esac
exec /usr/bin/virsh "$@"
`,
    { mode: 0o755 },
  );
  const domains = new LibvirtDomains({ uri: `test://${running}` }, { processes: new WithVirsh(directory) });
  t.like(await domains.disksOn('/dev/etherd/e7.1'), [{ name: 'one', target: 'vdb' }]);
  t.deepEqual(await domains.disksOn('/dev/etherd/e7.2'), []);
});

withQemu(
  'real libvirt: a disk that is an overlay of the device is not released: the volume lacks what it has',
  async (t) => {
    const { domains, virsh, define, directory } = await qemu();
    const { uuid: guest } = await domains.lookup('guest');
    await domains.attach(guest, '/dev/etherd/e7.1', 'vdb');
    const xml = await virsh('dumpxml', 'guest', '--inactive');
    const chain = `<source file='${directory}/overlay'/><backingStore type='block'><format type='raw'/>$&</backingStore>`;
    await define(
      xml
        .replace(/<source dev='\/dev\/etherd\/e7\.1'\/>/, chain)
        .replace("<disk type='block'", "<disk type='file'")
        .replace("type='raw' cache", "type='qcow2' cache"),
    );
    t.like(await t.throwsAsync(domains.detach(guest, '/dev/etherd/e7.1'), { code: 'DomainFailed' }), {
      message: `libvirt domain ${guest}: its disk vdb writes to ${directory}/overlay since a snapshot, not to the volume`,
      hint: `while the guest runs, merge that into the volume (virsh blockcommit ${guest} vdb --active --pivot), then detach again`,
    });
    t.true((await virsh('dumpxml', 'guest', '--inactive')).includes(`${directory}/overlay`));
    await domains.detach(guest, '/dev/etherd/e7.1', { force: true });
    t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
  },
);

withQemu('real libvirt: the definition of a domain gets a network disk, once, and loses it', async (t) => {
  const { domains, virsh, define } = await qemu();
  const { uuid: guest } = await domains.lookup('guest');
  const address = `sheepdog:volume-${uuid}`;
  const source = sheepdogDisks.sourceOf(uuid, address, '[fd00::1]:7000');
  const limits = { iops: 100, bytesPerSecond: undefined };
  await domains.attach(guest, source, 'vdb', { serial: uuid, limits });
  await domains.attach(guest, source, 'vdb', { serial: uuid, limits });
  const xml = await virsh('dumpxml', 'guest', '--inactive');
  t.is(xml.split('<disk ').length, 2);
  t.regex(xml, /<disk type='network' device='disk'>\s*<driver name='qemu' type='raw' cache='none'\/>/);
  t.true(xml.includes(`<source protocol='sheepdog' name='volume-${uuid}'>`));
  t.regex(xml, /<host name='fd00::1' port='7000'\/>\s*<\/source>\s*<target dev='vdb' bus='virtio'\/>/);
  t.true(xml.includes(`<serial>${uuid}</serial>`));
  t.regex(xml, /<iotune>\s*<read_iops_sec>100<\/read_iops_sec>\s*<write_iops_sec>100<\/write_iops_sec>\s*<\/iotune>/);
  await domains.attach(guest, source, 'vdb', { limits: { iops: undefined, bytesPerSecond: 4096 } });
  const replaced =
    /<iotune>\s*<read_bytes_sec>4096<\/read_bytes_sec>\s*<write_bytes_sec>4096<\/write_bytes_sec>\s*<\/iotune>/;
  t.regex(await virsh('dumpxml', 'guest', '--inactive'), replaced, 'other limits replace those that it had');
  await domains.attach(guest, source, 'vdb');
  t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('iotune'), 'and none remove them');
  await define(xml.replace(/<uuid>.*<\/uuid>/, '').replace('<name>guest<', '<name>a twin<'));
  t.like(await t.throwsAsync(domains.detach(guest, sheepdogDisks.nameOf(address)), { code: 'DomainFailed' }), {
    message: `libvirt domain a twin: it has volume-${uuid} as its disk vdb as well`,
  });
  await virsh('undefine', 'a twin');
  const other = await t.throwsAsync(domains.attach(guest, source, 'vdc'), { code: 'DomainFailed' });
  t.regex(other.message, /as its disk vdb already/);
  await domains.detach(guest, sheepdogDisks.nameOf(address));
  await domains.detach(guest, sheepdogDisks.nameOf(address));
  t.false((await virsh('dumpxml', 'guest', '--inactive')).includes('<disk '));
});

withVirsh('real libvirt: a domain that does not exist', async (t) => {
  const domains = new LibvirtDomains({ uri: 'test:///default' }, { processes: new ChildProcesses() });
  await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdb'), { code: 'DomainNotFound' });
  await t.throwsAsync(domains.lookup('nobody'), {
    code: 'DomainNotFound',
    message: 'libvirt domain nobody does not exist',
  });
  t.deepEqual(await domains.lookup('test'), { name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f' });
});
