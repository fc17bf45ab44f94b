import { z } from 'zod';
import type { RbdCommands } from './commands.ts';

export interface Monitors {
  /** Identity of the cluster. */
  fsid: string;
  /** Version of the protocol of the addresses: 1, which every client knows, where each monitor has it. */
  protocol: 'v1' | 'v2';
  /** Address and port of each monitor. */
  addresses: readonly { host: string; port: string }[];
}

const addressShape = z.object({ type: z.string(), addr: z.string() });
const shape = z.object({
  fsid: z.string(),
  mons: z.array(z.object({ public_addrs: z.object({ addrvec: z.array(addressShape).min(1) }) })),
});

export async function readMonitors(commands: RbdCommands): Promise<Monitors> {
  const { fsid, mons } = await commands.ceph(shape, ['mon', 'dump']);
  const all = mons.map(({ public_addrs: { addrvec } }) => addrvec);
  const protocol = all.every((addresses) => addresses.some(({ type }) => type === 'v1')) ? 'v1' : 'v2';
  return {
    fsid,
    protocol,
    addresses: all.flatMap((addresses) => {
      const address = addresses.find(({ type }) => type === protocol)?.addr;
      const [, host, port] = /^(.*):(\d+)$/.exec(address ?? '') ?? [];
      return host === undefined || port === undefined ? [] : [{ host, port }];
    }),
  };
}
