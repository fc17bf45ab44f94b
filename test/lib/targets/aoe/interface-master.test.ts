import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { masterErrorOf } from '../../../../lib/targets/aoe/interface-master.ts';

for (const [master, flags, message, hint] of [
  ['bond0', '0x1403', /interface eth0 is a port of bond0$/, /set aoe_eth_dev to bond0, /],
  ['team0', '0x1003', /interface eth0 is a port of team0$/, /set aoe_eth_dev to team0, /],
  ['ovs-system', '0x1002', /interface eth0 is a port of ovs-system$/, /ovs-vsctl port-to-br eth0$/],
  ['vrf0', '0x481', undefined, undefined],
] as const) {
  test(`an interface with the master ${master} ${message ? 'serves no exports' : 'serves exports'}`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'blockstore-net-'));
    t.teardown(() => rm(directory, { recursive: true }));
    for (const name of ['eth0', master]) await mkdir(join(directory, name));
    t.is(masterErrorOf('eth0', directory), undefined);
    await writeFile(join(directory, master, 'flags'), `${flags}\n`);
    await symlink(`../${master}`, join(directory, 'eth0/master'));
    const error = masterErrorOf('eth0', directory);
    t.is(error?.code, message && 'InterfaceDown');
    t.regex(error?.message ?? '', message ?? /^$/);
    t.regex(error?.hint ?? '', hint ?? /^$/);
  });
}
