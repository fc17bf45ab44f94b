import { pollUntil } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { scsiIdentityOf, volumeOfTargetName, volumeUnit } from '../../iscsi/address.ts';
import type { SpecFiles } from '../../iscsi/spec-files.ts';
import { checkStorage } from '../storage.ts';
import type { Log } from '../../log.ts';
import { type StoredSpec, sameSpec } from './stored-spec.ts';
import type { ShownTarget, ShownUnit } from './show.ts';

import { TgtadmFailure, everyHost } from './tgtadm.ts';
import type { Tgtd } from './tgtd.ts';

const maxTid = 0x7f_ff_ff_ff;
/** Numbers of targets that are tried: another volume may have the one that follows from an id. */
const maxNumbers = 16;
const removalMs = 20_000;
/** The caching page, with and without a write cache: without, tgtd writes to the disk before it answers. */
const cachingPage = { sync: '0x10', cached: '0x14' };
const restOfCachingPage = '0:0xff:0xff:0:0:0xff:0xff:0xff:0xff:0x80:0x14:0:0:0:0:0:0';

/** Makes and removes the targets of volumes in the tgtd of this node; others' targets there are left alone. */
export class Exports {
  private readonly tgtd: Tgtd;
  private readonly files: SpecFiles<StoredSpec>;
  private readonly log: Log;

  constructor(tgtd: Tgtd, files: SpecFiles<StoredSpec>, log: Log) {
    this.tgtd = tgtd;
    this.files = files;
    this.log = log;
  }

  /** The target of the volume is as specified, whatever was there before. Throws ExportFailed, TargetDaemonFailed. */
  async ensure(spec: StoredSpec): Promise<void> {
    const before = await this.files.read(spec.id);
    const found = (await this.tgtd.adm.targets()).filter(({ name }) => isOf(spec.id, name, before));
    const [only, ...others] = found;
    if (only && others.length === 0 && before && isSameBut(before, spec) && isComplete(only, before)) {
      if (!servesOnly(only, spec) || before.hosts.join(' ') !== spec.hosts.join(' ')) await this.adjust(only, spec);
      return;
    }
    for (const target of found) await this.remove(spec.id, target);
    await this.create(spec);
  }

  /** Resolves when neither the target nor a session of it is left. Throws ExportStays, TargetDaemonFailed. */
  async end(id: string): Promise<void> {
    const before = await this.files.read(id);
    for (const target of await this.tgtd.adm.targets()) {
      if (isOf(id, target.name, before)) await this.remove(id, target);
    }
  }

  /** Other hosts. Those that are admitted no longer have no session when it resolves. */
  private async adjust(target: ShownTarget, spec: StoredSpec): Promise<void> {
    const { adm } = this.tgtd;
    const rules = rulesOf(spec);
    await this.files.write(spec);
    // The withdrawn rules first: a target that lost its last rule is hidden, one that has too many is not.
    for (const rule of target.acl) if (!rules.includes(rule)) await adm.refuse(target.tid, rule);
    for (const rule of rules) if (!target.acl.includes(rule)) await adm.admit(target.tid, rule);
    if (spec.hosts.length > 0) await this.closeSessions(spec.id, target.tid, spec.hosts);
    const now = (await adm.targets()).find(({ tid }) => tid === target.tid);
    if (!now || !servesOnly(now, spec)) throw errors.exportFailed(spec.id, 'tgtd did not change who may log in');
  }

  private async create(spec: StoredSpec): Promise<void> {
    const { adm } = this.tgtd;
    const { id, targetName, path, readOnly, chap, durability } = spec;
    await checkStorage(id, path); // tgtd has its reason for a missing path in its log only
    await this.files.write(spec);
    const tid = await this.newTarget(id, targetName);
    try {
      const { serial, wwn } = scsiIdentityOf(id);
      await adm.newUnit(tid, volumeUnit, path, {
        vendor_id: 'blkstore',
        product_id: 'volume',
        scsi_id: wwn,
        scsi_sn: serial,
        mode_page: `8:0:18:${durability === 'cached' ? cachingPage.cached : cachingPage.sync}:${restOfCachingPage}`,
        ...(readOnly ? { readonly: '1' } : {}),
      });
      if (chap) await adm.demand(tid, chap);
      // Last: until then no host sees the target.
      for (const rule of rulesOf(spec)) await adm.admit(tid, rule);
      const made = (await adm.targets()).find((target) => target.tid === tid);
      if (!made || !isComplete(made, spec)) throw new TgtadmFailure('tgtd has made it otherwise', false);
    } catch (error) {
      await this.undo(id, tid);
      throw error instanceof TgtadmFailure ? errors.exportFailed(id, reasonOf(error, path)) : error;
    }
  }

  /** Its number follows from the id, as tgtd derives one of the device's identifiers from it. */
  private async newTarget(id: string, targetName: string): Promise<number> {
    const { number } = scsiIdentityOf(id);
    for (let tries = 0; ; tries += 1) {
      const tid = ((number - 1 + tries) % maxTid) + 1;
      try {
        await this.tgtd.adm.newTarget(tid, targetName);
        return tid;
      } catch (error) {
        if (!(error instanceof TgtadmFailure)) throw error;
        if (tries === maxNumbers || !error.message.includes('already exists')) {
          throw errors.exportFailed(id, error.message);
        }
      }
    }
  }

  /** What is half made serves nobody. */
  private async undo(id: string, tid: number): Promise<void> {
    try {
      const target = (await this.tgtd.adm.targets()).find((one) => one.tid === tid);
      if (target) await this.remove(id, target);
    } catch (error) {
      this.log.warn(`an unfinished target of volume ${id} stays in tgtd`, { reason: String(error) });
    }
  }

  /** A deletion is refused while a unit has commands in it: sessions are closed first, and it is repeated. */
  private async remove(id: string, { tid, name, accounts, acl }: ShownTarget): Promise<void> {
    const { adm } = this.tgtd;
    let words = '';
    const isGone = await pollUntil(
      async () => {
        try {
          for (const rule of acl) await adm.refuse(tid, rule).catch(unlessDown);
          for (const connection of await adm.connections(tid)) await adm.closeConnection(tid, connection);
          await adm.deleteTarget(tid);
        } catch (error) {
          if (!(error instanceof TgtadmFailure)) throw error;
          words = error.message;
        }
        return !(await adm.targets()).some((target) => target.name === name);
      },
      { deadlineMs: removalMs, maxIntervalMs: 500 },
    );
    if (isGone !== true) throw errors.sessionsStay(id, words);
    for (const user of accounts) await adm.deleteAccount(user).catch(unlessDown);
  }

  /** tgtd closes a connection soon after the request. */
  private async closeSessions(id: string, tid: number, admitted: readonly string[]): Promise<void> {
    const { adm } = this.tgtd;
    const areClosed = await pollUntil(
      async () => {
        const others = (await adm.connections(tid)).filter(({ initiator }) => !admitted.includes(initiator));
        for (const connection of others) await adm.closeConnection(tid, connection).catch(unlessDown);
        return others.length === 0;
      },
      { deadlineMs: removalMs },
    );
    if (areClosed !== true) throw errors.sessionsStay(id, 'a session of a former host stays open');
  }
}

/** Whether a target is the one of the volume, under its present name or the one that it was made with. */
function isOf(id: string, name: string, kept: StoredSpec | undefined): boolean {
  return name === kept?.targetName || volumeOfTargetName(name) === id;
}

/** Whether the two differ at most in the hosts, which can be changed while the target runs. */
function isSameBut(one: StoredSpec, other: StoredSpec): boolean {
  return sameSpec({ ...one, hosts: [] }, { ...other, hosts: [] });
}

/** Whether a target serves what the specification says, to anybody. */
export function isComplete({ name, units, accounts, acl }: ShownTarget, spec: StoredSpec): boolean {
  const unit = volumeIn(units);
  const users = spec.chap ? [spec.chap.user] : [];
  return (
    name === spec.targetName &&
    unit?.path === spec.path &&
    unit.isOnline &&
    unit.isReadOnly === spec.readOnly &&
    unit.serial === scsiIdentityOf(spec.id).serial &&
    accounts.join(' ') === users.join(' ') &&
    acl.length > 0
  );
}

/** Whether the hosts of the specification are admitted, and no other one is or has a session from a time when it was. */
export function servesOnly({ acl, initiators }: ShownTarget, spec: StoredSpec): boolean {
  const isAdmitted = (initiator: string) => spec.hosts.length === 0 || spec.hosts.includes(initiator);
  return acl.toSorted().join(' ') === rulesOf(spec).toSorted().join(' ') && initiators.every(isAdmitted);
}

export function volumeIn(units: readonly ShownUnit[]): ShownUnit | undefined {
  return units.find(({ lun }) => lun === volumeUnit);
}

function rulesOf({ hosts }: StoredSpec): readonly string[] {
  return hosts.length === 0 ? [everyHost] : hosts;
}

function reasonOf({ message }: TgtadmFailure, path: string): string {
  return message === 'invalid request' ? `tgtd cannot open ${path}` : message;
}

/** What is to be removed may be gone already. */
function unlessDown(error: unknown): void {
  if (!(error instanceof TgtadmFailure) || error.isDown) throw error;
}
