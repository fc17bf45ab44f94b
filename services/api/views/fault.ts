import type { Fault } from '../../../lib/errors.ts';
import { type Caller, hasRole } from '../caller.ts';

/** A fault in one line. What only concerns the storage, such as paths and what tools print, is for administrators. */
export function faultText({ kind, code, message, hint }: Fault, caller: Caller): string {
  if (kind === 'failed' && !hasRole(caller, 'admin')) return `the storage reports ${code}; an administrator sees why`;
  return [message, hint].filter(Boolean).join('; ').replaceAll('\n', '; ');
}
