import { existsSync, globSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { withoutLibvirtd } from './libvirtd.ts';

const kernel = globSync('/boot/vmlinuz-*-cloud-amd64').at(-1) ?? '';
const busybox = '/usr/bin/busybox';
const isStatic = existsSync('/usr/share/doc/busybox-static');

/** Why no guest can run here; undefined where one can. */
export const withoutGuest =
  withoutLibvirtd ??
  (kernel !== '' && isStatic && existsSync('/usr/bin/cpio')
    ? undefined
    : 'needs linux-image-cloud-amd64, busybox-static and cpio');

const modules = ['virtio', 'virtio_ring', 'virtio_pci_modern_dev', 'virtio_pci_legacy_dev', 'virtio_pci', 'virtio_blk'];

/** Answers each line that arrives on the serial port with the output of that command and a line with its exit code. */
const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
for module in ${modules.join(' ')}; do insmod /modules/$module.ko; done
stty -F /dev/ttyS0 raw -echo
while read -r line; do (eval "$line") 2>&1; echo "exit=$?"; done </dev/ttyS0 >/dev/ttyS0
poweroff -f
`;

/** The definition of a domain with that guest, whose serial port is a socket at `console`. */
export function guestDefinition(name: string, initramfs: string, console: string): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
    <os><type machine='pc'>hvm</type><kernel>${kernel}</kernel><initrd>${initramfs}</initrd>
    <cmdline>quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=1</cmdline></os><features><acpi/></features>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><memballoon model='none'/>
    <serial type='unix'><source mode='bind' path='${console}'/></serial></devices></domain>`;
}

/** Makes it in that directory, unless it is there. Returns its path. */
export async function makeInitramfs(directory: string): Promise<string> {
  const root = join(directory, 'initramfs');
  const file = `${root}.cpio`;
  if (existsSync(file)) return file;
  for (const name of ['bin', 'proc', 'sys', 'dev', 'modules']) await mkdir(join(root, name), { recursive: true });
  await copyFile(busybox, join(root, 'bin/busybox'));
  const version = kernel.replace('/boot/vmlinuz-', '');
  for (const name of modules) {
    const [found = ''] = globSync(`/lib/modules/${version}/kernel/drivers/{virtio,block}/${name}.ko`);
    await cp(found, join(root, 'modules', `${name}.ko`));
  }
  await writeFile(join(root, 'init'), init);
  await chmod(join(root, 'init'), 0o755);
  await execa('sh', ['-ec', `find . | cpio --quiet -o -H newc >${file}`], { cwd: root });
  return file;
}
