import { driverOf } from '../drivers/registry.ts';
import { targetOf } from '../targets/registry.ts';
import { authStrategy, openAddress } from './api-flags.ts';
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
  const open = openAddress(flags);
  if (open !== undefined && authStrategy(flags) === 'noauth' && !flags.api_noauth_beyond_loopback) {
    problems.push(
      `api_listen = ${open} serves other machines, and auth_strategy = noauth asks nobody who they are: listen on 127.0.0.1, set auth_strategy = local, or set api_noauth_beyond_loopback = true`,
    );
  }
  if (open !== undefined && authStrategy(flags) !== 'noauth' && flags.api_noauth_beyond_loopback) {
    problems.push(
      `api_noauth_beyond_loopback = true requires auth_strategy = noauth as well: with ${flags.auth_strategy} the API asks for a token`,
    );
  }
  if (flags.auth_strategy === 'keystone') {
    const required = (['keystone_url', 'keystone_user', 'keystone_password_file', 'keystone_project'] as const).filter(
      (name) => flags[name] === '',
    );
    if (required.length > 0) problems.push(`auth_strategy = keystone requires ${required.join(', ')}`);
  }
  const { api_tls_cert: cert, api_tls_key: key } = flags;
  if ((cert === '') !== (key === '')) {
    problems.push(
      `api_tls_cert and api_tls_key belong together: ${cert === '' ? 'api_tls_cert' : 'api_tls_key'} is empty`,
    );
  }
  const users = new Map<string, string>();
  for (const backend of backends) {
    const where = flags.enabled_backends.length === 0 ? '' : `[${backend.name}] `;
    const { storage_create: mayCreate, storage_dev: disks, lvm_type: type } = backend.flags;
    // A thin pool can be made in a group that exists.
    if (mayCreate && disks.length === 0 && type === 'thick') {
      problems.push(`${where}storage_create = true requires storage_dev: the devices to create the volume group on`);
    }
    const driver = driverOf(backend.flags);
    const target = targetOf(backend.flags);
    if (driver.targets?.includes(target.name) === false) {
      problems.push(`${where}volume_driver = ${driver.name} requires volume_target = ${driver.targets.join(' or ')}`);
    }
    if (target.drivers?.includes(driver.name) === false) {
      problems.push(`${where}volume_target = ${target.name} requires volume_driver = ${target.drivers.join(' or ')}`);
    }
    const own = [...(driver.problems?.(backend.flags) ?? []), ...(target.problems?.(backend.flags) ?? [])];
    problems.push(...own.map((problem) => where + problem));
    const storage = driver.storage(backend.flags);
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
