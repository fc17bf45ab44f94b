import { errors } from '../../lib/errors.ts';
import { type Caller, type Role, hasRole } from './caller.ts';

/**
 * What each call requires; an administrator may do everything. Calls with objects of another project answer as if these did not
 * exist, except to an administrator.
 */
export const policy = {
  'caller:show': 'reader',
  'cluster:show': 'admin',
  'node:list': 'admin',
  'node:show': 'admin',
  'operation:list': 'reader',
  'event:list': 'reader',
  'volume:list': 'reader',
  'volume:show': 'reader',
  'volume:create': 'member',
  'volume:update': 'member',
  'volume:delete': 'member',
  'volume:summary': 'reader',
  'volume:metadata:list': 'reader',
  'volume:metadata:change': 'member',
  'snapshot:list': 'reader',
  'snapshot:show': 'reader',
  'snapshot:create': 'member',
  'snapshot:update': 'member',
  'snapshot:delete': 'member',
  'snapshot:metadata:list': 'reader',
  'snapshot:metadata:change': 'member',
  'snapshot:administer': 'admin',
  'attachment:list': 'reader',
  'attachment:show': 'reader',
  'attachment:create': 'member',
  'attachment:update': 'member',
  'attachment:complete': 'member',
  'attachment:delete': 'member',
  'type:list': 'reader',
  'type:show': 'reader',
  'type:create': 'admin',
  'type:update': 'admin',
  'type:delete': 'admin',
  'type:extra-specs:list': 'reader',
  'type:extra-specs:change': 'admin',
  'type:access:list': 'admin',
  'type:access:change': 'admin',
  'type:encryption:show': 'admin',
  'type:encryption:change': 'admin',
  'qos-spec:list': 'admin',
  'qos-spec:change': 'admin',
  'default-type:list': 'admin',
  'default-type:change': 'admin',
  'quota:show': 'reader',
  'quota:change': 'admin',
  'quota-class:show': 'admin',
  'quota-class:change': 'admin',
  'limits:show': 'reader',
  'service:list': 'admin',
  'service:change': 'admin',
  'host:list': 'admin',
  'zone:list': 'reader',
  'pool:list': 'admin',
  'capabilities:show': 'admin',
  'cluster:list': 'admin',
  'worker:cleanup': 'admin',
  'backup:list': 'reader',
  'backup:show': 'reader',
  'backup:create': 'member',
  'backup:update': 'member',
  'backup:delete': 'member',
  'backup:restore': 'member',
  'backup:administer': 'admin',
  'message:list': 'reader',
  'message:delete': 'member',
  'group:list': 'reader',
  'group:change': 'member',
  'group-type:list': 'reader',
  'group-type:change': 'admin',
  'extension:list': 'reader',
  'resource-filter:list': 'reader',
} as const satisfies Record<string, Role>;

export type CallName = keyof typeof policy;

/** Throws NotPermitted. */
export function checkPolicy(name: CallName, caller: Caller): void {
  const required = policy[name];
  if (!hasRole(caller, required)) throw errors.notPermitted(name, [required]);
}
