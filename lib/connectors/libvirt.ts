import { type Limits, areLimited, noLimits } from '../models/limits.ts';
import { pollUntil } from '../concurrency.ts';
import { BlockstoreError, errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { completeDisks } from './disk-sources.ts';
import { type Disks, targetOf } from './disks.ts';
import {
  type DiskOptions,
  type DiskSource,
  type NetworkSource,
  attachOptions,
  nameOf,
  throttleOptions,
} from './libvirt-disk.ts';
import { type Domain, Virsh } from './virsh.ts';

/** Where a domain has its disks: in the running guest, in the definition that it starts from. */
type Scope = '--live' | '--config';

export interface LibvirtOptions {
  /** Connection URI, as for virsh. */
  uri: string;
  /** How long a guest may take to release a disk. Default 20,000. */
  detachTimeoutMs?: number;
  /** How often a guest that has not released a disk is asked again. Default 2,000. */
  askAgainMs?: number;
}

/** A disk of a domain, and the command that releases it. */
export interface DiskUse {
  name: string;
  target: string;
  release: string;
}

export interface DetachOptions {
  /** Whether the disk is released whatever is found. */
  force?: boolean;
}

const pollMs = 200;
/** Whose definitions one process prints. */
const domainsAtOnce = 20;

/** Most commands read no XML, and start faster without the library for it. */
const readAnswers = () => import('./libvirt-answers.ts');

/** Gives volumes to libvirt domains as virtio disks, raw and past the host's page cache. A disk is found again by the name of its source. */
export class LibvirtDomains {
  private readonly options: LibvirtOptions;
  private readonly virsh: Virsh;
  /** Domains that this object has asked to take a disk. */
  private readonly asked = new Set<string>();

  constructor(options: LibvirtOptions, { processes }: { processes: Processes }) {
    this.options = options;
    this.virsh = new Virsh(options.uri, processes);
  }

  /**
   * Returns the domain of that name or UUID. Not by virsh's own look-up: it takes numbers for ids first, which another domain
   * has after each start. Throws DomainNotFound, DomainFailed, CommandNotFound.
   */
  async lookup(reference: string): Promise<Domain> {
    const domains = await this.virsh.list(reference);
    const found =
      domains.find(({ name }) => name === reference) ?? domains.find(({ uuid }) => uuid === reference.toLowerCase());
    if (!found) throw errors.domainNotFound(reference, this.options.uri);
    return found;
  }

  /**
   * The volume is disk `target` (vdb, …) of the domain: in the guest when it runs, in its definition when it has one. Done
   * already is success. `uuid` is the domain's. Throws DomainFailed, also when another disk has that target; CommandNotFound.
   */
  async attach(uuid: string, from: DiskSource, target: string, options: DiskOptions = {}): Promise<void> {
    const { limits = noLimits } = options;
    const name = nameOf(from);
    if (typeof from !== 'string') await this.requireSecret(uuid, from);
    await this.refuseOthers(uuid, name);
    for (const scope of await this.scopes(uuid)) {
      const disks = await this.disks(uuid, scope, name);
      const [source = 'another one'] = disks.get(target) ?? [];
      if (source === name) {
        await this.throttle(uuid, target, scope, limits);
        continue;
      }
      if (disks.has(target)) {
        throw errors.domainFailed(uuid, `its disk ${target} is ${source}`, 'choose another target name');
      }
      const other = targetOf(disks, name);
      if (other !== undefined) {
        const hint = `choose that target name, or detach it: virsh detach-disk ${uuid} ${other} ${scope}`;
        throw errors.domainFailed(uuid, `it has ${name} as its disk ${other} already`, hint);
      }
      if ((await this.state(uuid)).isSaved) {
        const hint = `start the guest, or discard its saved state (virsh managedsave-remove ${uuid}), then attach again`;
        throw errors.domainFailed(uuid, 'it is saved, and continues without the disk', hint);
      }
      this.asked.add(uuid);
      if (typeof from === 'string') {
        await this.virsh.run(uuid, ['attach-disk', scope, ...attachOptions(options), '--', uuid, from, target]);
        if (areLimited(limits)) await this.throttle(uuid, target, scope, limits);
      } else {
        const { networkDisk } = await import('./network-disk.ts');
        await this.virsh.attachDevice(uuid, scope, networkDisk(from, target, options));
      }
    }
  }

  /** QEMU keeps the guest to these limits. "virsh attach-disk" knows none. */
  private async throttle(uuid: string, target: string, scope: string, limits: Limits): Promise<void> {
    const args = ['blkdeviotune', scope, ...throttleOptions(limits), '--', uuid, target];
    if (areLimited(limits)) await this.virsh.run(uuid, args);
    else await this.virsh.runIfSupported(uuid, args); // a driver without limits has none to remove
  }

  /** A running guest sees its disk with that source in the new size; one that is shut off reads it at its start. Throws DomainFailed. */
  async resize(uuid: string, source: string, sizeBytes: number): Promise<void> {
    if (!(await this.scopes(uuid)).includes('--live')) return;
    const target = targetOf(await this.disks(uuid, '--live', source), source);
    if (target !== undefined) await this.virsh.run(uuid, ['blockresize', '--', uuid, target, `${sizeBytes}B`]);
  }

  /** Whether a failed attach() may have left a disk in the domain. */
  mayHaveDisk(uuid: string): boolean {
    return this.asked.has(uuid);
  }

  /**
   * The domain has no disk with that source any more; absent is success. What could open it again, or has data that the volume
   * lacks, is looked for before the disk is released, with `force` after it. Throws DomainFailed, CommandNotFound.
   */
  async detach(uuid: string, source: string, { force = false }: DetachOptions = {}): Promise<void> {
    if (!force) await this.refuseObstacles(uuid, source);
    for (const scope of await this.scopes(uuid)) await this.detachFrom(scope, uuid, source);
    if (force) await this.refuseObstacles(uuid, source);
  }

  private async refuseObstacles(uuid: string, source: string): Promise<void> {
    await this.refuseOthers(uuid, source);
    for (const scope of await this.scopes(uuid)) refuseOverlay(uuid, await this.disks(uuid, scope, source), source);
    await this.refuseSaved(uuid, source);
    await this.refuseSnapshots(uuid, source);
  }

  /** A clone of the domain, or the domain itself defined anew with another UUID, opens the volume as well. Throws DomainFailed. */
  private async refuseOthers(uuid: string, source: string): Promise<void> {
    const [other] = await this.disksOn(source, { except: uuid });
    if (other === undefined) return;
    throw errors.domainFailed(
      other.name,
      `it has ${source} as its disk ${other.target} as well`,
      `detach it there first: ${other.release}`,
    );
  }

  /**
   * Returns the domains, running, shut off or saved, that have the source as a disk, or will have it at their next start, except the one
   * with that UUID. Throws DomainFailed, AnswerUnreadable, CommandNotFound.
   */
  async disksOn(source: string, { except = '' }: { except?: string } = {}): Promise<DiskUse[]> {
    const others = (await this.virsh.list(except)).filter(({ uuid }) => uuid !== except);
    const found: DiskUse[] = [];
    for (let first = 0; first < others.length; first += domainsAtOnce) {
      found.push(...(await this.disksOnIn(others.slice(first, first + domainsAtOnce), source)));
    }
    return found;
  }

  /** One virsh for all: its start takes longer than its answer. It goes on after a failure; its last command fails with the connection. */
  private async disksOnIn(domains: readonly Domain[], source: string): Promise<DiskUse[]> {
    const verbs = ['managedsave-dumpxml', 'dumpxml --inactive', 'dumpxml'];
    const commands = domains.flatMap(({ uuid }) => verbs.map((verb) => `${verb} -- ${uuid}`));
    const text = await this.virsh.run('', [[...commands, 'uri'].join('; ')]);
    const { disksOfDomains } = await readAnswers();
    const answers = disksOfDomains(text, this.virsh.seeDomains);
    const found: DiskUse[] = [];
    for (const { uuid, name } of domains) {
      const texts = answers.get(uuid);
      if (texts === undefined && (await this.virsh.isListed(uuid))) {
        throw errors.answerUnreadable(`virsh dumpxml ${uuid}`, text, this.virsh.seeDomains);
      }
      const disks = await Promise.all((texts ?? []).map((one) => completeDisks(one, source)));
      const target = disks.map((one) => targetOf(one, source)).find((one) => one !== undefined);
      if (target === undefined) continue;
      const release = `virsh detach-disk '${name}' ${target} --config, and --live while it runs`;
      found.push({ name, target, release });
    }
    return found;
  }

  /** libvirt defines a disk whose secret is missing; the guest would not start. Throws DomainFailed. */
  private async requireSecret(uuid: string, { auth }: NetworkSource): Promise<void> {
    if (auth === undefined) return;
    const { user, secretUuid } = auth;
    const secrets = await this.virsh.runIfSupported(uuid, ['secret-list']);
    if (secrets === undefined || secrets.split('\n').some((line) => line.trim().split(/\s+/)[0] === secretUuid)) return;
    throw errors.domainFailed(
      uuid,
      `libvirt on this host has no secret ${secretUuid} with the key of the Ceph user client.${user}`,
      `define it there (virsh secret-define), set its value (virsh secret-set-value ${secretUuid}), then attach again`,
    );
  }

  /** A domain that returns to a snapshot has the disks of that time again. Throws DomainFailed. */
  private async refuseSnapshots(uuid: string, source: string): Promise<void> {
    const names = await this.virsh.runIfSupported(uuid, ['snapshot-list', '--name', '--', uuid]);
    const { isExternalIn, targetInSnapshot } = await readAnswers();
    for (const name of (names ?? '').split('\n').filter((line) => line.trim() !== '')) {
      const xml = await this.virsh.run(uuid, ['snapshot-dumpxml', '--', uuid, name]);
      const target = targetInSnapshot(xml, source, this.virsh.seeDomains);
      if (target === undefined) continue;
      // The definition names the overlay alone, not what is below it.
      const top = isExternalIn(xml, target, this.virsh.seeDomains)
        ? (await this.disks(uuid, '--config', source)).get(target)?.[0]
        : undefined;
      if (top !== undefined && top !== source) throw writesElsewhere(uuid, target, top);
      const remove = `virsh snapshot-delete ${uuid} '${name}' --metadata`;
      throw errors.domainFailed(
        uuid,
        `its snapshot ${name} has disk ${target}`,
        `delete the snapshot, or what libvirt records of it (${remove}), then detach again`,
      );
    }
  }

  /** A guest that was saved continues with the disks of that time, whatever its definition has. Throws DomainFailed. */
  private async refuseSaved(uuid: string, source: string): Promise<void> {
    if (!(await this.state(uuid)).isSaved) return;
    const { disksIn } = await readAnswers();
    const saved = disksIn(await this.virsh.run(uuid, ['managedsave-dumpxml', '--', uuid]), this.virsh.seeDomains);
    const target = targetOf(saved, source);
    if (target === undefined) return;
    throw errors.domainFailed(
      uuid,
      `its saved state has disk ${target}`,
      `start the guest, or discard its saved state (virsh managedsave-remove ${uuid}), then detach again`,
    );
  }

  /**
   * A guest is only asked to release a disk, and virsh does not wait for its answer. A guest that boots loses the request,
   * one that is busy refuses it, one that is shut off needs none: so it is asked again until the disk is gone.
   */
  private async detachFrom(scope: Scope, uuid: string, source: string): Promise<void> {
    const limit = this.options.detachTimeoutMs ?? 20_000;
    const askAgainMs = this.options.askAgainMs ?? 2000;
    let reason = '';
    let asked = -Infinity;
    let lastTarget = '';
    const isGone = async () => {
      const target = (await this.scopes(uuid)).includes(scope)
        ? targetOf(await this.disks(uuid, scope, source), source)
        : undefined;
      if (target === undefined) return true;
      lastTarget = target;
      if (performance.now() - asked < askAgainMs) return false;
      asked = performance.now();
      try {
        await this.virsh.run(uuid, ['detach-disk', scope, '--', uuid, target]);
      } catch (error) {
        if (!(error instanceof BlockstoreError) || error.code !== 'DomainFailed') throw error;
        reason = ` (${error.message.replace(`libvirt domain ${uuid}: `, '')})`;
      }
      return false;
    };
    if (await pollUntil(isGone, { deadlineMs: limit, intervalMs: pollMs })) return;
    const { state } = await this.state(uuid);
    const sleeps = state === 'paused' || state === 'pmsuspended';
    throw errors.domainFailed(
      uuid,
      `its guest ${sleeps ? `is ${state} and ` : ''}has not released disk ${lastTarget} within ${limit / 1000} s${reason}`,
      `${releaseHint(uuid, lastTarget, `${state}${reason}`)}, then detach again`,
    );
  }

  private async scopes(uuid: string): Promise<Scope[]> {
    const { state, isPersistent } = await this.state(uuid);
    return [...(state === 'shut off' ? [] : (['--live'] as const)), ...(isPersistent ? (['--config'] as const) : [])];
  }

  private async state(uuid: string): Promise<{ state: string; isPersistent: boolean; isSaved: boolean }> {
    const info = await this.virsh.run(uuid, ['dominfo', '--', uuid]);
    const state = /^State:\s+(.+?)\s*$/m.exec(info)?.[1];
    const persistent = /^Persistent:\s+(yes|no)\s*$/m.exec(info)?.[1];
    // Half an answer would have the disk forgotten in one of the two places.
    if (state === undefined || persistent === undefined) {
      throw errors.answerUnreadable(`virsh dominfo ${uuid}`, info, this.virsh.seeDomains);
    }
    return { state, isPersistent: persistent === 'yes', isSaved: /^Managed save:\s+yes\s*$/m.test(info) };
  }

  /** With what they are backed by, as far as that leads to the source. */
  private async disks(uuid: string, scope: Scope, source: string): Promise<Disks> {
    const inactive = scope === '--config' ? ['--inactive'] : [];
    const xml = await this.virsh.run(uuid, ['dumpxml', ...inactive, '--', uuid]);
    const { disksIn } = await readAnswers();
    return completeDisks(disksIn(xml, this.virsh.seeDomains), source);
  }
}

/** What to do about a guest that keeps a disk, by its state and by what libvirt said. */
function releaseHint(uuid: string, target: string, cause: string): string {
  if (cause.startsWith('paused')) return `resume the guest (virsh resume ${uuid}) or shut it down`;
  if (cause.startsWith('pmsuspended')) return `wake the guest (virsh dompmwakeup ${uuid}) or shut it down`;
  if (/block job/.test(cause))
    return `wait until its block job ends, or end it (virsh blockjob ${uuid} ${target} --abort)`;
  if (/state change lock/.test(cause))
    return `wait until its migration, save or other job ends: see virsh domjobinfo ${uuid}`;
  return 'unmount it in the guest, or shut the guest down';
}

/** Throws DomainFailed. */
function refuseOverlay(uuid: string, disks: Disks, source: string): void {
  const target = targetOf(disks, source) ?? '';
  const [top = source] = disks.get(target) ?? [];
  if (top !== source) throw writesElsewhere(uuid, target, top);
}

/** What a guest wrote since a snapshot of its disk is in a file of its host: the volume lacks it. */
function writesElsewhere(uuid: string, target: string, top: string): BlockstoreError {
  const merge = `virsh blockcommit ${uuid} ${target} --active --pivot`;
  return errors.domainFailed(
    uuid,
    `its disk ${target} writes to ${top} since a snapshot, not to the volume`,
    `while the guest runs, merge that into the volume (${merge}), then detach again`,
  );
}

/** Returns the disk's name in the guest for a mount point, such as vdb for /dev/vdb. Throws InvalidArgument. */
export function diskTarget(mountpoint: string): string {
  const target = /^\/dev\/(vd[a-z]{1,2})$/.exec(mountpoint)?.[1];
  if (target === undefined)
    throw errors.invalidArgument('mount point', mountpoint, 'a whole virtio disk such as /dev/vdb');
  return target;
}
