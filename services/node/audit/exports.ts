import { realpath } from 'node:fs/promises';
import { asError } from '../../../lib/errors.ts';
import { areSameLimits } from '../../../lib/models/limits.ts';
import { isAllowed } from '../../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { sameHosts } from '../../../lib/targets/hosts.ts';
import type { FoundExport } from '../../../lib/targets/target.ts';
import type { AuditContext } from '../audit.ts';
import { surplusHosts } from '../restored-attachments.ts';
import { exportSpec, isExported, volumeSpec } from '../specs.ts';
import { isUnrecorded, refuseChanged } from './before-removal.ts';
import type { Difference } from './difference.ts';

/** How the export of a healthy volume differs from what its record asks for: whether it runs, its address, path, rights and limits. */
export async function exportDifferences(
  context: AuditContext,
  volume: VolumeState,
  found: FoundExport | undefined,
): Promise<Difference[]> {
  const { backends, exclusively, adoption, exportUnattached } = context;
  if (volume.task || volume.status === 'error') return [];
  if (backends.failureOf(volume.backend) !== undefined) return [];
  const backend = backends.get(volume.backend);
  if (backend.target.addressing === 'none') return [];
  const object = `volume ${volume.id}`;
  const run = () => exclusively(volume.id, (now) => adoption.serve(now));
  if (!isExported(volume, exportUnattached)) {
    return found ? [unattachedExport(context, volume, found)] : [];
  }
  if (volume.status === 'error_deleting') return [];
  const own = backend.target.addressOf?.(volume.id);
  if (own !== undefined && found && volume.address !== own) {
    const what = `is recorded with the address ${volume.address || 'none'}, and its target has it at ${own}`;
    return [{ object, what, fix: 'record the address', run }];
  }
  if (own === undefined && volume.address === '' && volume.attachStatus === 'detached' && !found) {
    return [{ object, what: 'is not exported, and has no address', fix: 'export it at a free one', run }];
  }
  if (own === undefined && volume.address === '') {
    const what = 'is attached and has no address in its record';
    if ((await adoption.withAddressInUse(volume, found)).address === '') return [{ object, what, fix: '' }];
    const restore = () =>
      exclusively(volume.id, async (now) => adoption.serve(await adoption.restoreAddress(now, found)));
    return [{ object, what, fix: 'record the one that its export or its storage has', run: restore }];
  }
  if (!found) return [{ object, what: 'is not exported', fix: 'export it', run }];
  const spec = exportSpec(volume, backend);
  const fix = 'export it anew';
  if (found.address !== spec.address) {
    return [{ object, what: `is exported as ${found.address}, not as ${spec.address}`, fix, run }];
  }
  if (found.path !== spec.path) return [{ object, what: `is exported from ${found.path}, not ${spec.path}`, fix, run }];
  const surplus = surplusHosts(volume, found, context);
  if (surplus) {
    const restore = () => exclusively(volume.id, (now) => adoption.restoreFurther(now, found));
    const what =
      surplus.length === 0
        ? `is exported to all hosts, and is attached to ${volume.attachHosts.join(', ')} alone`
        : `is exported to ${surplus.join(', ')} as well, and is not attached there`;
    return [{ object, what, fix: 'record the attachment again', run: restore }];
  }
  if (found.readOnly !== spec.readOnly || !sameHosts(found.hosts, spec.hosts)) {
    return [{ object, what: 'is exported with other rights than its record has', fix, run }];
  }
  if (found.chap?.user !== spec.chap?.user || found.chap?.secret !== spec.chap?.secret) {
    return [{ object, what: 'is exported with another secret than its record has', fix, run }];
  }
  if (found.limits && !areSameLimits(found.limits, spec.limits)) {
    return [{ object, what: 'is exported with other limits than its record has', fix: 'set those of its record', run }];
  }
  return [];
}

/** Only Redis can have lost the attachment of a volume that could be attached: a host may be writing. */
function unattachedExport(context: AuditContext, volume: VolumeState, found: FoundExport): Difference {
  const { exclusively, adoption, backends, exportUnattached } = context;
  const { id, backend } = volume;
  const object = `volume ${id}`;
  const what = 'is exported although it is not attached';
  if (!isAllowed('restoreAttachment', volume)) {
    const run = () =>
      exclusively(id, async (now) => {
        if (isExported(now, exportUnattached)) return;
        await refuseChanged(context, now);
        await backends.get(backend).target.removeExport(id);
      });
    return { object, what, fix: 'end the export', run };
  }
  const run = () => exclusively(id, (now) => adoption.restoreAttachment(now, found));
  return { object, what, fix: 'record the attachment again', run };
}

/** Exports of the volume's storage that are none of ours: their hosts write beside those of the volume. */
export async function exportsBeside(
  { backends }: AuditContext,
  volume: VolumeState,
  exports: readonly FoundExport[],
): Promise<Difference[]> {
  const strangers = exports.filter(({ id }) => id === undefined);
  if (strangers.length === 0 || backends.failureOf(volume.backend) !== undefined) return [];
  const backend = backends.get(volume.backend);
  if (backend.target.addressing === 'none') return [];
  const own = await realOf(backend.driver.localPath(volumeSpec(volume)));
  const differences: Difference[] = [];
  for (const { address, path } of strangers) {
    if ((await realOf(path)) !== own) continue;
    const what = `is exported as ${address} by a process that is not of blockstore: end it on the node`;
    differences.push({ object: `volume ${volume.id}`, what, fix: '' });
  }
  return differences;
}

/** A volume can have several names. */
async function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => path); // it is not there
}

/** Asks the network who answers at the addresses of this node, for foreignAnswer(). */
export async function unobservedAddresses({ addresses }: AuditContext): Promise<Difference[]> {
  try {
    await addresses.pool.observeAll();
    return [];
  } catch (error) {
    return [{ object: 'addresses', what: `were not compared with the network: ${asError(error).message}`, fix: '' }];
  }
}

/** The export of the volume is refused while another machine answers at its address. */
export function foreignAnswer({ addresses }: AuditContext, { id, address }: VolumeState): Difference[] {
  const who = addresses.pool.answeredElsewhere.get(address);
  if (who === undefined) return [];
  return [{ object: `volume ${id}`, what: `has address ${address}, at which ${who} answers`, fix: '' }];
}

/** Exports of ours whose volume has neither record nor storage. While a backend is not served, it may have the storage. */
export function orphanedExports(
  context: AuditContext,
  exports: readonly FoundExport[],
  known: ReadonlySet<string>,
): Difference[] {
  const { backends, engine, addresses } = context;
  if (!backends.areAllServed) return [];
  return exports.flatMap(({ id, path }) => {
    if (id === undefined || known.has(id)) return [];
    const run = () =>
      engine.exclusively(id, async () => {
        // Created meanwhile, or its record is back: then the export is the volume's.
        if (!(await isUnrecorded(context, id))) return;
        for (const { target } of backends.served) await target.removeExport(id);
        addresses.pool.release(id);
      });
    return [{ object: `volume ${id}`, what: `is exported (${path}) and does not exist`, fix: 'end the export', run }];
  });
}
