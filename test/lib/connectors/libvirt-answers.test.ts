import test from 'ava';
import { disksIn, disksOfDomains, isExternalIn, targetInSnapshot } from '../../../lib/connectors/libvirt-answers.ts';

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
    <disk type='file' device='disk'>
      <source file='/var/lib/images/overlay.qcow2' index='3'/>
      <backingStore type='block' index='1'>
        <format type='raw'/>
        <source dev='/dev/etherd/e7.2'/>
      </backingStore>
      <target dev='vdd' bus='virtio'/>
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
      ['vda', ['/var/lib/my images/root.img']],
      ['vdb', ['/dev/etherd/e7.1']],
      ['vdc', ['pool/image']],
      ['vdd', ['/var/lib/images/overlay.qcow2', '/dev/etherd/e7.2']],
      ['sda', []],
    ],
  );
  for (let end = 0; end < xml.length - 2; end += 1) {
    t.throws(() => disksIn(xml.slice(0, end)), { code: 'AnswerUnreadable' });
  }
});

test('a name with characters that XML escapes is that of the file', (t) => {
  const xml = `<domain><devices><disk type='file'><source file='/images/a&amp;b &apos;1&apos;.qcow2'/><target dev='vda'/></disk>
</devices></domain>`;
  t.deepEqual([...disksIn(xml)], [['vda', [`/images/a&b '1'.qcow2`]]]);
});

const domain = (uuid: string, device: string, name = 'domain') => `<${name} type='kvm'>
  <uuid>${uuid}</uuid>
  <devices><disk><source dev='${device}'/><target dev='vdb'/></disk></devices>
</${name}>
`;

test('the disks of several domains are those of all of their texts; what is beside them is no part of them', (t) => {
  const text = `${domain('u1', '/dev/a')}\n${domain('u2', '/dev/b')}\n${domain('u1', '/dev/c')}\nqemu+ssh://h/system?a=1&b=2\n`;
  const found = [...disksOfDomains(text)].map(([uuid, disks]) => [uuid, disks.map((one) => one.get('vdb'))]);
  t.deepEqual(found, [
    ['u1', [['/dev/a'], ['/dev/c']]],
    ['u2', [['/dev/b']]],
  ]);
  const broken = domain('u1', '/dev/a').replace('</devices>', '');
  t.throws(() => disksOfDomains(broken), { code: 'AnswerUnreadable' });
});

test('the disks of a snapshot are those of both of its definitions; incomplete XML is an error', (t) => {
  const disks = `<disks><disk name='vdb' snapshot='external' type='file'/><disk name='vdc' snapshot='no'/></disks>`;
  const definitions = domain('u1', '/dev/a') + domain('u1', '/dev/b', 'inactiveDomain');
  const xml = `<domainsnapshot><name>s</name>${disks}${definitions}</domainsnapshot>`;
  for (const [source, target] of [
    ['/dev/a', 'vdb'],
    ['/dev/b', 'vdb'],
    ['/dev/c', undefined],
  ] as const) {
    t.is(targetInSnapshot(xml, source), target);
  }
  t.deepEqual(
    ['vdb', 'vdc', 'vdd'].map((target) => isExternalIn(xml, target)),
    [true, false, false],
  );
  t.throws(() => targetInSnapshot(xml.slice(0, -3), '/dev/a'), { code: 'AnswerUnreadable' });
});
