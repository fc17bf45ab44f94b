import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LibvirtDomains } from '../../../lib/connectors/libvirt.ts';
import { WithVirsh } from './with-virsh.ts';

const execute = promisify(execFile);

/**
 * libvirt's QEMU driver inside virsh itself, with a domain "guest" that is defined; nothing else on the host sees it. The driver
 * asks for a user that comes with libvirt's daemon: virsh sees it, nobody else does.
 */
export async function makeQemu() {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-libvirt-'));
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
  const define = async (xml: string) => {
    const definition = join(directory, 'guest.xml');
    await writeFile(definition, xml);
    await virsh('define', definition);
  };
  await define(
    `<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>`,
  );
  return { define, directory, domains: new LibvirtDomains({ uri }, { processes: new WithVirsh(directory) }), virsh };
}
