import test from 'ava';
import { disksIn } from '../../../lib/connectors/libvirt-answers.ts';

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
