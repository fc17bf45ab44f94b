import { z } from 'zod';
import type { RbdCommands } from './commands.ts';

export interface Monitors {
  /** Identity of the cluster. */
  fsid: string;
  /** Address and port of each monitor, in the protocol that every client knows where a monitor has it. */
  addresses: readonly { host: string; port: string }[];
}

const addressShape = z.object({ type: z.string(), addr: z.string() });
const shape = z.object({
  fsid: z.string(),
  mons: z.array(z.object({ public_addrs: z.object({ addrvec: z.array(addressShape).min(1) }) })),
});

export async function readMonitors(commands: RbdCommands): Promise<Monitors> {
  const { fsid, mons } = await commands.ceph(shape, ['mon', 'dump']);
  return {
    fsid,
    addresses: mons.flatMap(({ public_addrs: { addrvec } }) => {
      const address = (addrvec.find(({ type }) => type === 'v1') ?? addrvec[0])?.addr;
      const [, host, port] = /^(.*):(\d+)$/.exec(address ?? '') ?? [];
      return host === undefined || port === undefined ? [] : [{ host, port }];
    }),
  };
}
