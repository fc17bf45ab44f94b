import path from 'node:path';
import { guestDefinition, makeInitramfs } from '../support/guest-image.ts';
import { libvirtUser, qemuConf } from '../support/libvirtd.ts';
import { until } from '../support/until.ts';
import type { LabNode } from './node.ts';

const console = '/run/guest.console';
const program = path.join(import.meta.dirname, 'guest-console.pl');
const patienceMs = 300_000;

/** A Linux guest named "guest" of a libvirtd on a machine. Both start in about a minute. */
export class LabGuest {
  private readonly host: LabNode;

  /** `directory` is of this process, for the guest's initramfs. */
  static async start(host: LabNode, directory: string): Promise<LabGuest> {
    const initramfs = await makeInitramfs(directory);
    await host.sh(`echo '${libvirtUser.passwd}' >>/etc/passwd; echo '${libvirtUser.group}' >>/etc/group
cat >/etc/libvirt/qemu.conf <<'END'
${qemuConf}
END
printf 'auth_unix_rw="none"\\nauth_unix_ro="none"\\n' >/etc/libvirt/libvirtd.conf
cat >/run/guest.xml <<'END'
${guestDefinition('guest', initramfs, console)}
END`);
    const libvirtd = await host.start('libvirtd', 'exec libvirtd');
    const guest = new LabGuest(host);
    try {
      await until(async () => (await host.run('virsh -q list')).status === 0, 'libvirtd answers', patienceMs);
      await host.sh('virsh -q define /run/guest.xml && virsh -q start guest', { timeoutMs: patienceMs });
      await until(() => guest.isReady(), 'the guest answers', patienceMs);
    } catch (error) {
      throw new Error(`the guest does not start: ${await libvirtd.log()}`, { cause: error });
    }
    return guest;
  }

  private constructor(host: LabNode) {
    this.host = host;
  }

  /** Returns the output of a line of shell, which must succeed. */
  async sh(line: string): Promise<string> {
    return this.host.sh(this.command(line, 150));
  }

  /** Returns the definition: of the guest that runs, or of its next start. */
  async definition(which: 'running' | 'inactive'): Promise<string> {
    return this.host.sh(`virsh -q dumpxml guest ${which === 'inactive' ? '--inactive' : ''}`);
  }

  /** Returns the name in the guest of the disk with that serial number; undefined without one. */
  async diskOf(serial: string): Promise<string | undefined> {
    const file = await this.sh(`grep -l '^${serial.slice(0, 20)}$' /sys/block/vd*/serial 2>/dev/null || true`);
    return /^\/sys\/block\/(vd[a-z])\/serial$/.exec(file)?.[1];
  }

  /** What is sent before the guest listens is lost. */
  private async isReady(): Promise<boolean> {
    const { status, output } = await this.host.run(this.command('echo it "is" up', 10));
    return status === 0 && /^it is up$/m.test(output);
  }

  private command(line: string, seconds: number): string {
    return `perl ${program} ${console} '${line.replaceAll("'", String.raw`'\''`)}' ${seconds}`;
  }
}
