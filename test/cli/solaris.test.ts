import test from 'ava';
import { z } from 'zod';
import { volumesOf } from '../../lib/models/volume.ts';
import { SolarisDevice } from '../support/fake-san/solaris-device.ts';
import { SshStandIn } from '../support/fake-san/ssh-stand-in.ts';
import { Blockstored } from '../support/blockstored.ts';
import { CliPlace } from './place.ts';

/** A daemon and command lines, as processes, with volumes of a stand-in of Solaris behind a stand-in of its SSH server. */

const host = 'iqn.1993-08.org.debian:01:aaa';
const volumeSchema = z.object({ id: z.string(), address: z.string(), status: z.string() }).loose();

test('volumes of a Solaris host are created, attached, detached and deleted over SSH; a new daemon finds them', async (t) => {
  const device = new SolarisDevice('tank');
  const server = await SshStandIn.start(device);
  const place = await CliPlace.start();
  const flags = {
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '1',
    volume_driver: 'solaris',
    volume_target: 'solaris',
    san_ip: '127.0.0.1',
    san_ssh_port: String(server.port),
    san_password: 'secret',
    san_zfs_volume_base: 'tank/',
    san_accept_new_host_key: 'true',
  };
  let daemon = await Blockstored.start(flags);
  t.teardown(async () => {
    await daemon.kill();
    await place.close();
    await server.stop();
  });
  const { id } = volumeSchema.parse(await place.json('volume', 'create', '1', '--name', 'data'));
  const attach = ['volume', 'attach', 'data', '--instance', 'i1', '--mountpoint', '/dev/vdb', '--initiator', host];
  const { address } = volumeSchema.parse(await place.json(...attach));
  const { id: second } = volumeSchema.parse(await place.json('volume', 'create', '1', '--name', 'logs'));
  t.is((await place.run(...attach.with(2, 'logs'))).exitCode, 0);
  const volumes = volumesOf(await place.store());
  const { chap } = await volumes.lookup(id);
  t.truthy(chap);
  t.deepEqual((await volumes.lookup(second)).chap, chap, 'the storage has one secret for a host');
  t.is(device.comstar.login(`iqn.2010-10.org.openstack:volume-${id}`, host), undefined);
  t.not(device.comstar.login(`iqn.2010-10.org.openstack:volume-${id}`, host, chap), undefined);
  const name = `iqn.2010-10.org.openstack:volume-${id}`;
  t.is(address, `127.0.0.1:3260,1 ${name} 0`);
  t.is(device.comstar.seen(name, 0, host)?.serial, id);
  t.is(device.comstar.seen(name, 0, 'iqn.1993-08.org.debian:01:other'), undefined);
  await daemon.kill();
  server.cut();
  daemon = await Blockstored.start(flags);
  t.is((await place.run('audit')).exitCode, 0);
  t.is(device.comstar.seen(name, 0, host)?.serial, id);
  await place.run('volume', 'detach', 'data');
  t.not(device.comstar.login(`iqn.2010-10.org.openstack:volume-${second}`, host, chap), undefined);
  const shown = (await place.run('volume', 'show', 'logs', '--json')).stdout;
  t.false([daemon.log, shown, ...server.lines].join('\n').includes(chap?.secret ?? ''));
  await place.run('volume', 'detach', 'logs');
  t.is(device.comstar.initiators.size, 0);
  t.is(device.comstar.units.size, 0);
  await place.run('volume', 'delete', 'data', 'logs');
  t.deepEqual([...device.zfs.datasets.keys()], ['tank']);
});
