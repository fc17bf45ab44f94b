import { CommandError } from '../command-error.ts';
import { pollUntil } from '../concurrency.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';

/** Where a domain has disks: in the running guest, in its persistent definition. */
type Scope = '--live' | '--config';

export interface LibvirtOptions {
  /** Connection URI, as for virsh. */
  uri: string;
  /** Time limit for a guest to release a disk. Default 20,000. */
  detachTimeoutMs?: number;
}

const diskOptions =
  '--sourcetype block --targetbus virtio --driver qemu --subdriver raw --cache none --io native'.split(' ');

/** Attaches block devices of this host to libvirt domains as virtio disks, raw and without the host's page cache. */
export class LibvirtDomains {
  private readonly options: LibvirtOptions;
  private readonly processes: Processes;

  constructor(options: LibvirtOptions, { processes }: { processes: Processes }) {
    this.options = options;
    this.processes = processes;
  }

  /**
   * Makes the device disk `target` (vdb, …) of the domain: in the guest if it runs, in its definition if it has one. An
   * existing disk of this device is success. Throws DomainFailed, also when another disk has that target; CommandNotFound.
   */
  async attach(domain: string, devicePath: string, target: string): Promise<void> {
    for (const scope of await this.scopes(domain)) {
      const source = (await this.disks(domain, scope)).get(target);
      if (source === devicePath) continue;
      if (source !== undefined) {
        throw errors.domainFailed(
          domain,
          `its disk ${target} is ${source || 'another one'}`,
          'choose another target name',
        );
      }
      await this.virsh(domain, ['attach-disk', domain, devicePath, target, scope, ...diskOptions]);
    }
  }

  /** Removes the disk of this device from the domain; an absent disk is success. Throws DomainFailed, CommandNotFound. */
  async detach(domain: string, devicePath: string): Promise<void> {
    for (const scope of await this.scopes(domain)) {
      for (const [target, source] of await this.disks(domain, scope)) {
        if (source !== devicePath) continue;
        await this.virsh(domain, ['detach-disk', domain, target, scope]);
        await this.untilGone(domain, target, scope);
      }
    }
  }

  /** Waits until the guest has released the disk: virsh only sends the request. */
  private async untilGone(domain: string, target: string, scope: Scope): Promise<void> {
    const limit = this.options.detachTimeoutMs ?? 20_000;
    const isGone = async () => !(await this.disks(domain, scope)).has(target);
    if (await pollUntil(isGone, { deadlineMs: limit, intervalMs: 200 })) return;
    throw errors.domainFailed(
      domain,
      `its guest has not released disk ${target} within ${limit / 1000} s`,
      'unmount it in the guest, or shut the guest down, then detach again',
    );
  }

  private async scopes(domain: string): Promise<Scope[]> {
    const info = await this.virsh(domain, ['dominfo', domain]);
    const state = /^State:\s+(.+?)\s*$/m.exec(info)?.[1];
    const persistent = /^Persistent:\s+(yes|no)\s*$/m.exec(info)?.[1];
    // With incomplete output the disk would remain in one of the two places.
    if (state === undefined || persistent === undefined) throw errors.answerUnreadable(`virsh dominfo ${domain}`, info);
    return [
      ...(state === 'shut off' ? [] : (['--live'] as const)),
      ...(persistent === 'yes' ? (['--config'] as const) : []),
    ];
  }

  /** Returns the source of each disk by target. */
  private async disks(domain: string, scope: Scope): Promise<Map<string, string>> {
    return disksIn(await this.virsh(domain, ['dumpxml', domain, ...(scope === '--config' ? ['--inactive'] : [])]));
  }

  private async virsh(domain: string, args: readonly string[]): Promise<string> {
    try {
      return (await this.processes.run('virsh', ['--connect', this.options.uri, '--quiet', ...args])).stdout;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      if (error.failure.notFound) throw errors.commandMissing('virsh', 'libvirt-clients');
      throw errors.domainFailed(domain, reasonOf(error), `see "virsh --connect ${this.options.uri} list --all"`);
    }
  }
}

/**
 * Returns sources by target from the XML of a domain in libvirt's form; '' for a disk without a source. Throws
 * AnswerUnreadable if the end is missing: an omitted disk would count as absent.
 */
export function disksIn(xml: string): Map<string, string> {
  if (!/<\/domain>\s*$/.test(xml)) throw errors.answerUnreadable('virsh dumpxml', xml);
  const disks = xml.match(/<disk\b.*?<\/disk>/gs) ?? [];
  return new Map(
    disks.map((disk) => [attribute(disk, 'target', 'dev'), attribute(disk, 'source', 'dev|file|name|volume')]),
  );
}

function attribute(xml: string, element: string, name: string): string {
  return new RegExp(`<${element}\\b[^>]*\\s(?:${name})='([^']*)'`).exec(xml)?.[1] ?? '';
}

/** virsh prints the failed action first and the cause last, each after "error:". */
function reasonOf(error: CommandError): string {
  const lines = error.failure.stderr.split('\n').map((line) => line.replace(/^error:\s*/, '').trim());
  return lines.findLast((line) => line !== '') ?? error.message;
}
