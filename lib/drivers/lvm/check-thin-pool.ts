import { type Finding, bad, ok, warn } from '../../check.ts';
import { CommandError } from '../../command-error.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import { statIfExists } from '../../files.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import { byteSize } from '../../format-bytes.ts';
import type { Processes } from '../../process.ts';
import { type lvmFlags, ownPoolName } from './flags.ts';
import type { Lvm } from './lvm.ts';
import { isPoolOfOurs, missingPool, sizesOfPool } from './new-thin-pool.ts';
import { groupContent } from './reports.ts';
import { thinCheckFile } from './settings.ts';
import { type ThinPoolReport, thinPoolReport } from './thin-pool-report.ts';
import { promisableBytes, refusal, sizesIn, warning } from './thin-room.ts';

const kernelModule = 'dm_thin_pool';

/** Examines the thin pool of new volumes as the daemon does, and changes nothing. */
export async function checkThinPool(
  lvm: Lvm,
  flags: ValuesOf<typeof lvmFlags>,
  processes: Processes,
): Promise<Finding[]> {
  const { lvm_type: type, volume_group: group, lvm_thin_pool: named, storage_create: mayCreate } = flags;
  if (type !== 'thin') return [];
  const pool = named || ownPoolName;
  const name = { name: `${group}/${pool}` };
  const report = await thinPoolReport(lvm, group, pool);
  const content = await groupContent(lvm, group);
  const host = [...(await checkModule(processes)), ...(await checkProgram())];
  if (!report) {
    const missing = missingPool(name, content.volumes, { isNamed: named !== '', mayCreate });
    return [missing ? failed(missing) : newPool(name.name, content), ...host];
  }
  const unusable = problemOf(report, name, named === '');
  if (unusable) return [failed(unusable), ...host];
  const ratio = flags.max_over_subscription_ratio;
  const usage = { name, report, promisedBytes: sizesIn(pool, report, content.volumes), ratio };
  const [refused, near] = [refusal(usage, 0), warning(usage)];
  const figures =
    `${byteSize(usage.promisedBytes)} promised of ${byteSize(promisableBytes(usage))}, ` +
    `${percent(report.dataPercent)} of ${byteSize(report.sizeBytes)} used, metadata ${percent(report.metadataPercent)}`;
  return [
    ok(`thin pool ${name.name}: ${figures}`),
    ...(refused ? [failed(refused)] : []),
    ...(near && !refused ? [warn(near.message, near.hint ?? '')] : []),
    ...host,
  ];
}

function newPool(name: string, { freeBytes, extentBytes }: { freeBytes: number; extentBytes: number }): Finding {
  const sizes = sizesOfPool(freeBytes, extentBytes);
  if (sizes) return ok(`the daemon will create thin pool ${name} of ${byteSize(sizes.dataBytes)}`);
  return bad(
    `there is no thin pool ${name}, and the group has ${byteSize(freeBytes)} free, which is too little for it`,
    'add a disk to the group, or set lvm_thin_pool to an existing pool',
  );
}

function problemOf(report: ThinPoolReport, name: { name: string }, isOwn: boolean): BlockstoreError | undefined {
  const isOurs = isPoolOfOurs(report);
  if (!report.isPool) return errors.notThinPool(name);
  if (isOwn && !isOurs) return errors.thinPoolForeign(name);
  // The daemon sets it in a pool of ours.
  if (!report.isZeroing && !isOurs) return errors.thinPoolNotZeroing(name);
  return report.damage === undefined ? undefined : errors.thinPoolBroken(name, report.damage);
}

/** LVM loads the module, or the unit of the daemon does. */
async function checkModule(processes: Processes): Promise<Finding[]> {
  if ((await statIfExists(`/sys/module/${kernelModule}`)) !== undefined) return [];
  try {
    await processes.run('modprobe', ['--dry-run', '--quiet', kernelModule], { asRoot: true });
    return [];
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const hint = 'boot a kernel that has it, or install the modules of this one';
    return [bad(`the kernel has no thin pools: its module ${kernelModule} is missing`, hint)];
  }
}

/** A pool is activated without a check where the program is missing. */
async function checkProgram(): Promise<Finding[]> {
  if ((await statIfExists(thinCheckFile)) !== undefined) return [];
  const hint = 'install it, for checks and for repairs by lvconvert --repair: apt install thin-provisioning-tools';
  return [warn(`LVM cannot check thin pools before it activates them: ${thinCheckFile} is missing`, hint)];
}

/** An inactive pool has no figures; the daemon activates it. */
function percent(value: number | undefined): string {
  return value === undefined ? 'unknown' : `${value} %`;
}

function failed({ message, hint }: BlockstoreError): Finding {
  return bad(message, hint ?? '');
}
