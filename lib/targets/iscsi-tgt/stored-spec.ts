import { z } from 'zod';
import { keptExport } from '../../iscsi/spec-files.ts';
import type { ExportSpec } from '../target.ts';

export const storedSpecSchema = keptExport.extend({ targetName: z.string(), durability: z.string() });

/** An export as it was last made, with what tgtd does not show of it. */
export type StoredSpec = z.infer<typeof storedSpecSchema>;

export function storedSpec(spec: ExportSpec, targetName: string, durability: string): StoredSpec {
  const { id, path, address, readOnly, chap } = spec;
  const hosts = spec.hosts.toSorted();
  return { id, path, address, readOnly, hosts, ...(chap ? { chap } : {}), targetName, durability };
}

/** Whether two exports are the same to tgtd. The address follows from the portal, which all have in common. */
export function sameSpec(one: StoredSpec, other: StoredSpec): boolean {
  const { user, secret } = one.chap ?? {};
  return (
    one.path === other.path &&
    one.readOnly === other.readOnly &&
    one.targetName === other.targetName &&
    one.durability === other.durability &&
    one.hosts.join(' ') === other.hosts.join(' ') &&
    user === other.chap?.user &&
    secret === other.chap?.secret
  );
}
