import { endTransfer } from '../../../lib/client/end-transfer.ts';
import { tryParseAddress } from '../../../lib/aoe/address.ts';
import { type FoundVolume, differInLabels } from '../../../lib/drivers/driver.ts';
import { errors } from '../../../lib/errors.ts';
import { attachmentsOfVolume } from '../../../lib/models/attachment.ts';
import { isId } from '../../../lib/models/id.ts';
import { taskKey, writeTask } from '../../../lib/models/task.ts';
import { stateOf } from '../../../lib/models/volume-edit.ts';
import { taskFields, transferFields } from '../../../lib/models/volume-fields.ts';
import { type VolumeState, contradiction } from '../../../lib/models/volume-state.ts';
import { transfersOf } from '../../../lib/models/transfer.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { FoundExport } from '../../../lib/targets/target.ts';
import { hasSizeOf, sizeInBytes, sizeOf } from '../../../lib/volume-size.ts';
import type { AuditContext } from '../audit.ts';
import { recoverableFaults } from '../adopter.ts';
import { isExported, isIncompleteCopy, isMarkedMissing, movedLabel, unfinishedIn, volumeSpec } from '../specs.ts';
import { repairAttachments } from './attachments.ts';
import type { Difference } from './difference.ts';

/**
 * How a record contradicts itself, other records or its storage. `running`: its export; `users`: volumes by address, filled while records
 * are examined.
 */
export async function recordDifferences(
  context: AuditContext,
  volume: VolumeState,
  { found, running }: { found: FoundVolume | undefined; running: FoundExport | undefined },
  users: Map<string, string>,
): Promise<Difference[]> {
  const { engine, exclusively, backends, adoption } = context;
  const object = `volume ${volume.id}`;
  const conflict = contradiction(volume);
  if (conflict !== undefined) {
    const run = async () => {
      await exclusively(volume.id, (now) => makeConsistent(context, now));
      const now = await volumesOf(context.store).find(volume.id);
      if (now) engine.submit(now, { isResumed: true });
    };
    return [{ object, what: conflict, fix: 'make its statuses consistent', run, resumes: true }];
  }
  if (volume.task) {
    const run = async () => engine.submit(volume, { isResumed: true });
    return [
      {
        object,
        what: `has its ${volume.task.kind} under way, and nothing works on it`,
        fix: 'resume it',
        run,
        resumes: true,
      },
    ];
  }
  const address = [...(await lostTransfer(context, volume)), ...addressDifference(context, volume, users)];
  const lacks = missingFields(volume);
  // Its labels may have what the record has lost: they are not made like it.
  if (lacks.length > 0) return [...address, { object, what: `has a record without ${lacks.join(', ')}`, fix: '' }];
  if (volume.status === 'error_deleting') return address;
  if (volume.status === 'error' && !recoverableFaults.has(volume.fault?.code ?? '')) return address;
  if (backends.failureOf(volume.backend) !== undefined) return address;
  if (!backends.configured.some(({ name }) => name === volume.backend)) {
    const what = `is on backend ${JSON.stringify(volume.backend)}, which its node does not have`;
    return [...address, { object, what, fix: '' }];
  }
  if (!found || isIncompleteCopy(volume, found.labels)) return [...address, await missingStorage(context, volume)];
  const destination = found.labels[movedLabel];
  if (destination !== undefined) {
    const run = () => exclusively(volume.id, (now) => adoption.adopt(now, found));
    const what = `has left its storage here for ${destination}, which Redis has lost`;
    return [...address, { object, what, fix: 'give it that place again', run }];
  }
  if (unfinishedIn(found.labels) !== undefined && volume.status !== 'error_restoring') {
    const run = () => exclusively(volume.id, (now) => adoption.adopt(now, found));
    return [...address, { object, what: 'has storage without all of its data', fix: 'give it the rest', run }];
  }
  if (volume.status === 'error_restoring' && unfinishedIn(found.labels) === undefined) {
    const run = () => exclusively(volume.id, (now) => adoption.adopt(now, found, running));
    return [...address, { object, what: 'is not restored, and has all of its data', fix: 'make it available', run }];
  }
  const differences: Difference[] = [...address];
  const { driver } = backends.get(volume.backend);
  if (found.unusable !== undefined) {
    differences.push({ object, what: `has storage that cannot be used: ${found.unusable}`, fix: '' });
  } else if (!hasSizeOf(found.sizeBytes, sizeInBytes(volume.size))) {
    differences.push(sizeDifference(context, volume, found, running));
  } else if (isId(found.labels['key'] ?? '') && found.labels['key'] !== volume.encryptionKey) {
    // Labelled like the record, it could be opened by nobody any more.
    const set = { encryptionKey: found.labels['key'] ?? '', formatted: 'true' };
    const run = () => exclusively(volume.id, (now) => commitChecked(context, now, { set }));
    differences.push({ object, what: 'lacks the key of its storage', fix: 'record the key', run });
  } else if (
    differInLabels(found.labels, volumeSpec(volume).labels) &&
    // The record alone lacks the address: that is a difference of the export.
    differInLabels(found.labels, volumeSpec(await adoption.withAddressInUse(volume, running)).labels)
  ) {
    const run = () =>
      exclusively(volume.id, async (now) => {
        await driver.labelVolume(volumeSpec(now));
        // Of the transfer that could not label it.
        if (now.status === 'available' && now.fault) await commitChecked(context, now, { unset: ['fault'] });
      });
    differences.push({ object, what: 'has other labels on its storage than its record', fix: 'label it anew', run });
  }
  if (volume.lender !== '' && !running && !isExported(volume, false)) {
    const run = () => exclusively(volume.id, (now) => adoption.adopt(now, found));
    const what = `has address ${volume.address} of node ${volume.lender}, and is not attached`;
    differences.push({ object, what, fix: 'return the address', run });
  }
  if (volume.status === 'error' && found.unusable === undefined) {
    const run = () =>
      exclusively(volume.id, async (now) => {
        if (now.status === 'error') await adoption.adopt(now, found, running);
      });
    differences.push({ object, what: 'is in error, and its storage exists', fix: 'make it available again', run });
  }
  return differences;
}

function sizeDifference(
  { exclusively, adoption }: AuditContext,
  volume: VolumeState,
  found: FoundVolume,
  running: FoundExport | undefined,
): Difference {
  const { sizeBytes } = found;
  const object = `volume ${volume.id}`;
  const what = `has ${sizeBytes} bytes on storage, ${sizeInBytes(volume.size)} in its record`;
  const size = sizeOf(sizeBytes);
  if (size === undefined || size < volume.size) return { object, what, fix: '' };
  const run = () => exclusively(volume.id, (now) => adoption.adopt(now, found, running));
  return { object, what, fix: 'record the size of its storage', run };
}

/** Nobody can accept it: its record is gone, or damaged. */
async function lostTransfer(
  { store, lease, exclusively }: AuditContext,
  { id, transfer }: VolumeState,
): Promise<Difference[]> {
  if (transfer === '' || (await transfersOf(store).readAll([transfer])).states.length > 0) return [];
  const run = () =>
    exclusively(id, async (now) => {
      const outcome = await endTransfer(store, now, lease.token);
      if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    });
  return [{ object: `volume ${id}`, what: 'awaits a transfer that has no record', fix: 'end the transfer', run }];
}

/** Fields that every record of its kind has. */
function missingFields(volume: VolumeState): string[] {
  const { userId, projectId, availabilityZone } = volume;
  return Object.entries({ userId, projectId, availabilityZone }).flatMap(([name, value]) =>
    value === '' || value === undefined ? [name] : [],
  );
}

/** Two volumes with one address, or an address on another node's shelf. An unattached volume gets another one when it is attached. */
function addressDifference(context: AuditContext, volume: VolumeState, users: Map<string, string>): Difference[] {
  const { adoption, backends } = context;
  const { id, address, attachStatus, lender } = volume;
  if (address === '' || tryParseAddress(address) === undefined) return [];
  if (lender !== '' && attachStatus === 'detached') return []; // it has none of its own
  const holder = context.addresses.pool.userOf(address) ?? users.get(address) ?? id;
  const other = holder === id ? undefined : holder;
  if (other === undefined) users.set(address, id);
  const owner = lender === '' ? context.addresses.ownerOf(address) : undefined;
  if (other === undefined && owner === undefined) return [];
  const what =
    other === undefined
      ? `has address ${address}, on a shelf of node ${owner}`
      : `has address ${address}, as volume ${other} has`;
  if (attachStatus !== 'detached') return [{ object: `volume ${id}`, what, fix: '' }];
  const run = () =>
    context.exclusively(id, async (now) => {
      context.addresses.pool.release(id);
      const current = { ...now, address: await context.addresses.allocate({ id, address: '' }) };
      await commitChecked(context, now, { set: { address: current.address } });
      adoption.learn(current);
      await backends.get(now.backend).driver.labelVolume(volumeSpec(current));
    });
  return [{ object: `volume ${id}`, what, fix: 'give it another address', run }];
}

async function missingStorage(
  { exclusively, adoption, backends }: AuditContext,
  volume: VolumeState,
): Promise<Difference> {
  const object = `volume ${volume.id}`;
  const spec = volumeSpec(volume);
  const { driver } = backends.get(volume.backend);
  const [relabel, whereabouts] = [await driver.relabelCommand?.(spec), await driver.whereabouts?.(spec)];
  const what =
    relabel === undefined
      ? `has a record but no storage${whereabouts === undefined ? '' : `: ${whereabouts}`}`
      : `has a record but no storage with its label; if ${driver.localPath(spec)} is this volume: ${relabel}`;
  if (isMarkedMissing(volume)) return { object, what, fix: '' };
  const run = () => exclusively(volume.id, (now) => adoption.markMissing(now));
  return { object, what, fix: 'put its record into error', run };
}

/** The task decides; without one, whether the volume is attached to something. */
async function makeConsistent(context: AuditContext, volume: VolumeState): Promise<void> {
  const { status, attachStatus, task, attachments, newSize, transfer } = volume;
  if (contradiction(volume) === undefined) return;
  if (transfer !== '' && status !== 'awaiting-transfer') {
    return commitChecked(context, volume, { unset: transferFields });
  }
  if (task) return commitChecked(context, volume, { unset: taskFields });
  if (status === 'migrating')
    return commitChecked(context, volume, {
      set: attachStatus === 'attached' ? { status: 'in-use' } : { status: 'available', attachStatus: 'detached' },
      unset: ['migration'],
    });
  if (volume.migration !== '') return commitChecked(context, volume, { unset: ['migration'] });
  if (status === 'transferring') {
    const text = writeTask({ kind: 'relabel', key: taskKey() });
    return commitChecked(context, volume, { set: { attachStatus: 'detached', task: text } });
  }
  if (status === 'restoring') {
    const again = { task: writeTask({ kind: 'restore', key: taskKey() }) };
    const set = volume.restoreFrom ? again : { status: 'error_restoring' };
    return commitChecked(context, volume, { set: { attachStatus: 'detached', ...set } });
  }
  if (status === 'creating' || status === 'deleting') {
    const kind = status === 'creating' ? 'create' : 'delete';
    const text = writeTask({ kind, key: taskKey() });
    return commitChecked(context, volume, { set: { attachStatus: 'detached', task: text } });
  }
  if (newSize !== undefined && status !== 'extending') return commitChecked(context, volume, { unset: ['newSize'] });
  if (newSize !== undefined) {
    return commitChecked(context, volume, { set: { task: writeTask({ kind: 'extend', key: taskKey() }) } });
  }
  if (attachStatus === 'attaching' || attachStatus === 'detaching') {
    const attachment = await attachmentInChange(context, volume);
    const set = status === 'error' ? {} : { status: 'in-use' };
    const free = { ...(status === 'error' ? {} : { status: 'available' }), attachStatus: 'detached' };
    if (attachment === undefined) return commitChecked(context, volume, { set: free });
    const text = writeTask({ kind: 'detach', key: taskKey() });
    return commitChecked(context, volume, { set: { ...set, attachStatus: 'detaching', attachment, task: text } });
  }
  const isAttached = attachStatus === 'attached';
  if (isAttached && attachments.length === 0) return repairAttachments(context, volume);
  const idle = attachments.length > 0 ? 'reserved' : 'available';
  return commitChecked(context, volume, {
    set: { status: isAttached ? 'in-use' : idle, attachStatus: isAttached ? 'attached' : 'detached' },
    unset: transferFields,
  });
}

/** The attachment that was being made or ended, by its id; undefined where there is none. */
async function attachmentInChange({ store }: AuditContext, volume: VolumeState): Promise<string | undefined> {
  const states = await attachmentsOfVolume(store, volume);
  const changing = states.find(({ status }) => status === 'detaching' || status === 'attaching');
  return changing?.id ?? volume.attachments.at(-1);
}

async function commitChecked(
  { store, lease }: AuditContext,
  volume: VolumeState,
  edit: { set?: Record<string, string>; unset?: readonly string[] },
): Promise<void> {
  const { id, status } = volume;
  const edits = [{ kind: 'volume', id, expect: stateOf(volume), ...edit } as const];
  const outcome = await commit(store, { owner: lease.token, edits });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, status, 'no other change at the same time');
}
