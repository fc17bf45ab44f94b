import { z } from 'zod';
import { keptExport } from '../../iscsi/spec-files.ts';
import type { ExportSpec } from '../target.ts';

export const keptSpecSchema = keptExport.extend({ targetName: z.string(), durability: z.string() });

/** An export as it was last made, with what tgtd does not show of it. */
export type KeptSpec = z.infer<typeof keptSpecSchema>;

export function keptSpec(spec: ExportSpec, targetName: string, durability: string): KeptSpec {
  const { id, path, address, readOnly, chap } = spec;
  const hosts = spec.hosts.toSorted();
  return { id, path, address, readOnly, hosts, ...(chap ? { chap } : {}), targetName, durability };
}

/** Whether two exports are the same to tgtd. The address follows from the portal, which all have in common. */
export function sameSpec(one: KeptSpec, other: KeptSpec): boolean {
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
