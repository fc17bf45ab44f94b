import { asError, errors } from '../../errors.ts';
import { type Portal, portalText, targetNameOf, volumeOfTargetName } from '../../iscsi/address.ts';
import { checkStorage } from '../storage.ts';
import type { Log } from '../../log.ts';
import type { Chap, ExportSpec } from '../target.ts';
import {
  type BackstorePlan,
  type FoundBackstore,
  backstorePaths,
  createBackstore,
  isPlanned,
  planBackstore,
  readBackstore,
  resizeBackstore,
} from './backstore.ts';
import { type Configfs, ConfigfsFailure } from '../configfs.ts';
import {
  type FoundAcl,
  type FoundTarget,
  backstoreIn,
  groupNames,
  readTarget,
  targetNames,
  unitNames,
} from './found-target.ts';
import { backstoreOf, groupName, groupOf, linkName, targetOf, unitName, volumeOfBackstore } from './layout.ts';
import { portalHolder } from './portals.ts';

export interface ExportsOptions {
  portal: Portal;
  targetPrefix: string;
  durability: string;
}

/** What the kernel has of a volume. */
interface Found {
  targets: FoundTarget[];
  backstores: FoundBackstore[];
}

/** Makes and removes the targets and backstores of volumes in the kernel; all others are left alone. */
export class Exports {
  private readonly configfs: Configfs;
  private readonly options: ExportsOptions;
  private readonly log: Log;

  constructor(configfs: Configfs, options: ExportsOptions, log: Log) {
    this.configfs = configfs;
    this.options = options;
    this.log = log;
  }

  /**
   * The export is as specified, whatever was there before. `spec.hosts` are canonical and sorted. A change of hosts or of the right to
   * write is made while it runs; any other one makes it anew, so each state of a target was made from nothing. Throws ExportFailed,
   * ExportStays, PortalUnusable, InvalidArgument.
   */
  async ensure(spec: ExportSpec): Promise<void> {
    const status = await checkStorage(spec.id, spec.path);
    const plan = await planBackstore({ ...spec, durability: this.options.durability }, status);
    const found = await this.find(spec.id);
    const [target] = found.targets;
    const [backstore] = found.backstores;
    if (target && backstore && this.hasFrame(found, spec, plan)) {
      await asExportFailure(spec.id, async () => {
        await resizeBackstore(this.configfs, backstore, plan);
        await this.admit(target.name, target, spec);
      });
      return;
    }
    await this.remove(spec.id, found);
    await this.create(spec, plan);
  }

  /** Resolves when neither the target nor a session of it is left. Throws ExportStays. */
  async end(id: string): Promise<void> {
    await this.remove(id, await this.find(id));
  }

  /** Under the present prefix or an earlier one; a backstore of that name can be one that another program has restored. */
  private async find(id: string): Promise<Found> {
    const [names, paths] = await Promise.all([targetNames(this.configfs), backstorePaths(this.configfs)]);
    const own = paths.filter((path) => volumeOfBackstore(path) === id);
    return {
      targets: await Promise.all(
        names.filter((name) => volumeOfTargetName(name) === id).map((name) => readTarget(this.configfs, name)),
      ),
      backstores: await Promise.all(own.map((path) => readBackstore(this.configfs, path))),
    };
  }

  /** Whether all but the hosts and their right to write is as specified. */
  private hasFrame({ targets, backstores }: Found, spec: ExportSpec, plan: BackstorePlan): boolean {
    const [target, otherTarget] = targets;
    const [backstore, otherBackstore] = backstores;
    if (!target || !backstore || otherTarget || otherBackstore) return false;
    const isOpen = spec.hosts.length === 0;
    return (
      isPlanned(backstore, plan) &&
      target.name === targetNameOf(this.options.targetPrefix, spec.id) &&
      target.isEnabled &&
      target.groups.join(' ') === groupName &&
      target.portals.join(' ') === portalText(this.options.portal) &&
      target.units.length === 1 &&
      backstoreIn(target) === backstore.path &&
      target.isOpen === isOpen &&
      !target.isListed &&
      target.asksSecret === (spec.chap !== undefined) &&
      (!isOpen || (target.isReadOnly === spec.readOnly && target.acls.length === 0 && hasSecret(target, spec.chap)))
    );
  }

  /** In this order: nothing is served before the access list is right. */
  private async create(spec: ExportSpec, plan: BackstorePlan): Promise<void> {
    const { configfs } = this;
    const { id } = spec;
    const name = targetNameOf(this.options.targetPrefix, id);
    const group = groupOf(name);
    try {
      await createBackstore(configfs, plan);
      await configfs.create(targetOf(name));
      await configfs.create(group);
      await this.writeRights(group, spec);
      await configfs.create(`${group}/lun/${unitName}`);
      await configfs.link(`${group}/lun/${unitName}/${linkName}`, backstoreOf(plan.plugin, id));
      await this.admit(name, await readTarget(configfs, name), spec);
      await this.createPortal(group);
      await configfs.write(`${group}/enable`, '1');
      const made = await this.find(id);
      if (!this.hasFrame(made, spec, plan)) throw new ConfigfsFailure(group, 'the kernel has made it otherwise');
    } catch (error) {
      await this.undo(id);
      throw error instanceof ConfigfsFailure ? errors.exportFailed(id, reasonOf(error)) : error;
    }
  }

  private async writeRights(group: string, { hosts, readOnly, chap }: ExportSpec): Promise<void> {
    const { configfs } = this;
    const isOpen = hosts.length === 0;
    const attributes = {
      authentication: chap !== undefined,
      generate_node_acls: isOpen,
      demo_mode_write_protect: readOnly,
      prod_mode_write_protect: readOnly,
      // Others do not see that the target exists.
      demo_mode_discovery: false,
    };
    for (const [attribute, value] of Object.entries(attributes)) {
      await configfs.write(`${group}/attrib/${attribute}`, value ? '1' : '0');
    }
    if (isOpen && chap) await this.writeSecret(group, chap);
  }

  private async writeSecret(path: string, { user, secret }: Chap): Promise<void> {
    await this.configfs.hide(`${path}/auth`);
    await this.configfs.write(`${path}/auth/userid`, user);
    await this.configfs.write(`${path}/auth/password`, secret);
  }

  /**
   * The hosts have the volume, with the right to write or without; the others' sessions have ended. A session that was opened with
   * another secret is another attachment's, and ends as well.
   */
  private async admit(name: string, found: FoundTarget, spec: ExportSpec): Promise<void> {
    const { configfs } = this;
    const group = groupOf(name);
    if (spec.hosts.length === 0) return;
    if (found.givesReadOnly !== spec.readOnly) {
      await configfs.write(`${group}/attrib/prod_mode_write_protect`, spec.readOnly ? '1' : '0');
    }
    const kept = found.acls.filter((acl) => isAdmitted(acl, spec));
    for (const { initiator } of found.acls.filter((acl) => !kept.includes(acl))) {
      await this.refuse(`${group}/acls/${initiator}`);
    }
    for (const { initiator, isReadOnly } of kept) {
      if (isReadOnly === spec.readOnly) continue;
      await configfs.write(`${group}/acls/${initiator}/${unitName}/write_protect`, spec.readOnly ? '1' : '0');
    }
    for (const host of spec.hosts) {
      if (kept.some(({ initiator }) => initiator === host)) continue;
      const acl = `${group}/acls/${host}`;
      await configfs.create(acl);
      if (spec.chap) await this.writeSecret(acl, spec.chap);
      await configfs.create(`${acl}/${unitName}`);
      await configfs.link(`${acl}/${unitName}/${linkName}`, `${group}/lun/${unitName}`);
    }
  }

  /** An initiator without its ACL has no session. */
  private async refuse(acl: string): Promise<void> {
    await this.takeVolume(acl);
    await this.configfs.removeWithSessions(acl);
  }

  private async takeVolume(acl: string): Promise<void> {
    const { configfs } = this;
    for (const unit of await unitNames(configfs, acl)) {
      for (const link of await configfs.links(`${acl}/${unit}`)) await configfs.unlink(`${acl}/${unit}/${link}`);
      await configfs.remove(`${acl}/${unit}`);
    }
  }

  private async createPortal(group: string): Promise<void> {
    const text = portalText(this.options.portal);
    try {
      await this.configfs.create(`${group}/np/${text}`);
    } catch (error) {
      const holder = await portalHolder(this.configfs, this.options.portal);
      throw holder === undefined ? error : errors.portalTaken(text, holder);
    }
  }

  /** What is half made serves nobody. */
  private async undo(id: string): Promise<void> {
    try {
      await this.end(id);
    } catch (error) {
      this.log.warn(`an unfinished export of volume ${id} stays in the kernel`, { reason: asError(error).message });
    }
  }

  private async remove(id: string, { targets, backstores }: Found): Promise<void> {
    try {
      for (const target of targets) await this.removeTarget(target);
      for (const { path } of backstores) await this.configfs.remove(path);
    } catch (error) {
      if (!(error instanceof ConfigfsFailure)) throw error;
      throw errors.sessionsStay(id, `${error.path} stays: ${error.code}`);
    }
  }

  /** The group is disabled first, which ends all sessions; then no command is left that the rest could wait for. */
  private async removeTarget({ name }: FoundTarget): Promise<void> {
    const { configfs } = this;
    for (const tag of await groupNames(configfs, name)) {
      const group = `${targetOf(name)}/${tag}`;
      await configfs.writeEndingSessions(`${group}/enable`, '0');
      for (const initiator of await configfs.directories(`${group}/acls`)) {
        const acl = `${group}/acls/${initiator}`;
        await this.takeVolume(acl);
        await configfs.remove(acl);
      }
      for (const portal of await configfs.directories(`${group}/np`)) await configfs.remove(`${group}/np/${portal}`);
      for (const unit of await unitNames(configfs, `${group}/lun`)) {
        const path = `${group}/lun/${unit}`;
        for (const link of await configfs.links(path)) await configfs.unlink(`${path}/${link}`);
        await configfs.remove(path);
      }
      await configfs.remove(group);
    }
    await configfs.remove(targetOf(name));
  }
}

/** Whether an initiator keeps its sessions. */
function isAdmitted(acl: FoundAcl, { hosts, chap }: ExportSpec): boolean {
  return hosts.includes(acl.initiator) && acl.hasVolume && hasSecret(acl, chap);
}

function hasSecret({ chap: found }: { chap: Chap }, chap: Chap | undefined): boolean {
  return found.user === (chap?.user ?? '') && found.secret === (chap?.secret ?? '');
}

async function asExportFailure(id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw error instanceof ConfigfsFailure ? errors.exportFailed(id, reasonOf(error)) : error;
  }
}

function reasonOf({ path, code }: ConfigfsFailure): string {
  return `the kernel refuses ${path}: ${code}`;
}
