import { driverOf } from '../drivers/registry.ts';
import { targetOf } from '../targets/registry.ts';
import type { BackendFlags } from './backends.ts';
import type { Flags } from './definitions.ts';

/** Returns contradictions between flags, one line each. */
export function contradictions(flags: Flags, backends: readonly BackendFlags[]): string[] {
  const problems: string[] = [];
  const { first_shelf_id: first, last_shelf_id: last } = flags;
  if (last >= 0 && first < 0) problems.push(`last_shelf_id = ${last} requires first_shelf_id`);
  if (first >= 0 && last >= 0 && last < first) {
    problems.push(`last_shelf_id = ${last} must not be less than first_shelf_id = ${first}`);
  }
  if (flags.node_down_time < 2 * flags.report_interval) {
    problems.push(
      `node_down_time = ${flags.node_down_time} must be at least twice report_interval = ${flags.report_interval}`,
    );
  }
  if (flags.redis_cluster.length > 0 && flags.redis_db !== 0) {
    problems.push(`redis_db = ${flags.redis_db} is not possible with redis_cluster: a Cluster has only database 0`);
  }
  const users = new Map<string, string>();
  for (const backend of backends) {
    const where = flags.enabled_backends.length === 0 ? '' : `[${backend.name}] `;
    if (backend.flags.storage_create && backend.flags.storage_dev.length === 0) {
      problems.push(`${where}storage_create = true requires storage_dev: the devices to create the volume group on`);
    }
    problems.push(...remoteProblems(backend.flags).map((problem) => where + problem));
    const storage = driverOf(backend.flags).storage(backend.flags);
    const other = users.get(storage);
    if (storage !== '' && other !== undefined) {
      problems.push(
        `the backends ${other} and ${backend.name} both use ${storage}: configure different storage for each`,
      );
    }
    users.set(storage, backend.name);
  }
  return problems;
}

/** Volumes of storage that is another machine have no path here: one part of that machine exports what the other one stores. */
function remoteProblems(flags: Flags): string[] {
  const driver = driverOf(flags);
  const target = targetOf(flags);
  const problems: string[] = [];
  if (driver.isRemote && target.name !== driver.name && target.name !== 'none') {
    problems.push(`volume_driver = ${driver.name} requires volume_target = ${driver.name} or none`);
  }
  if (target.isRemote && target.name !== driver.name) {
    problems.push(`volume_target = ${target.name} requires volume_driver = ${target.name}`);
  }
  if (!driver.isRemote) return problems;
  if (flags.san_ip === '') problems.push(`volume_driver = ${driver.name} requires san_ip`);
  if (driver.name === 'lefthand' && flags.san_clustername === '') {
    problems.push('volume_driver = lefthand requires san_clustername');
  }
  if (target.name === 'lefthand' && flags.export_unattached) {
    problems.push('volume_target = lefthand exports to named hosts only: export_unattached must be false');
  }
  if (!flags.san_is_local && flags.san_password === '' && flags.san_private_key === '') {
    problems.push(`volume_driver = ${driver.name} requires san_password or san_private_key`);
  }
  return problems;
}
