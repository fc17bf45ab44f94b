import test, { type ExecutionContext } from 'ava';
import { tryParseIscsiAddress } from '../../lib/iscsi/address.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { Blockstored } from '../support/blockstored.ts';
import { LefthandDevice } from '../support/fake-san/lefthand-device.ts';
import { SshStandIn } from '../support/fake-san/ssh-stand-in.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

/** A daemon and command lines, as processes, with volumes of a stand-in of LeftHand behind a stand-in of its SSH server. */

const host = 'iqn.1993-08.org.debian:01:aaa';
const other = 'iqn.1993-08.org.debian:01:bbb';

async function placeFor(t: ExecutionContext, more: Record<string, string> = {}) {
  const device = new LefthandDevice();
  const server = await SshStandIn.start(device, { asks: true });
  const place = await CliPlace.start();
  const flags = {
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '1',
    volume_driver: 'lefthand',
    volume_target: 'lefthand',
    san_ip: '127.0.0.1',
    san_ssh_port: String(server.port),
    san_password: 'secret',
    san_clustername: 'c1',
    san_accept_new_host_key: 'true',
    ...more,
  };
  const running = { daemon: await Blockstored.start(flags) };
  t.teardown(async () => {
    await running.daemon.kill();
    await place.close();
    await server.stop();
  });
  const run = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await place.run('volume', ...args);
    t.is(exitCode, 0, stderr);
    return stdout;
  };
  return {
    device,
    place,
    run,
    attach: (...args: string[]) => run('attach', 'data', '--instance', 'i1', '--mountpoint', '/dev/vdb', ...args),
    /** The record of the volume, which has the secret. */
    record: async (id: string) => volumesOf(await place.store()).lookup(id),
    /** What the host gets at the address of the record. */
    seen: async (id: string, by: string, secret?: string) => {
      const { address, chap } = await volumesOf(await place.store()).lookup(id);
      const { targetName = '' } = tryParseIscsiAddress(address) ?? {};
      return device.seen(targetName, by, chap && { ...chap, ...(secret === undefined ? {} : { secret }) });
    },
    restart: async () => {
      await running.daemon.kill();
      server.cut();
      running.daemon = await Blockstored.start(flags);
    },
    log: () => running.daemon.log,
  };
}

test('LeftHand volumes are created, attached with a secret, detached and deleted over SSH; a new daemon finds them', async (t) => {
  const { device, place, run, attach, record, seen, restart, log } = await placeFor(t);
  const id = await run('create', '1', '--name', 'data');
  t.is((await record(id)).address, '', 'the storage gives the address with the first attachment');
  await attach('--initiator', host);
  const name = `iqn.2003-10.com.lefthandnetworks:group01:25366:volume-${id}`;
  const { address, chap } = await record(id);
  t.is(address, `192.0.2.6:3260,1 ${name} 0`);
  t.true((await run('show', 'data')).includes(address));
  t.deepEqual(await seen(id, host), { name: `volume-${id}`, size: 2 ** 30, isProtected: false });
  t.is(await seen(id, host, 'another secret'), undefined);
  t.is(device.servers.size, 0);
  await restart();
  t.is((await place.run('audit')).exitCode, 0);
  t.like(await record(id), { address, chap, attachStatus: 'attached', attachHosts: [host] });
  t.truthy(await seen(id, host));
  const secret = chap?.secret ?? '';
  t.is(secret.length, 16);
  t.false(log().includes(secret));
  device.volumes.get(`volume-${id}`)?.logins.clear();
  await until(() => seen(id, host), 'the daemon assigns it again with a report');
  await run('detach', 'data', '--force');
  t.is(device.volumes.get(`volume-${id}`)?.logins.size, 0);
  t.is((await record(id)).address, address, 'the address stays');
  await attach('--initiator', other);
  t.not((await record(id)).chap?.secret, secret);
  t.truthy(await seen(id, other));
  await run('detach', 'data', '--force');
  await run('delete', 'data');
  t.is(device.volumes.size, 0);
  t.is((await place.run('audit')).exitCode, 0);
});

test('without CHAP volumes are assigned to the names of hosts, and an attachment that Redis has lost is restored', async (t) => {
  const { device, place, run, attach, record, seen, restart } = await placeFor(t, { iscsi_chap: 'false' });
  const id = await run('create', '1', '--name', 'data');
  await attach('--initiator', host, '--mode', 'ro');
  t.like(await seen(id, host), { isProtected: true });
  t.is(await seen(id, other), undefined);
  const { address } = await record(id);
  const { redis } = await place.store();
  await redis.flushall();
  await restart();
  t.like(await record(id), { address, attachStatus: 'attached', attachHosts: [host], attachMode: 'ro' });
  t.like(await seen(id, host), { isProtected: true });
  await run('detach', id, '--force');
  t.is(await seen(id, host), undefined);
  await run('delete', id);
  t.is(device.volumes.size, 0);
  t.is((await place.run('audit')).exitCode, 0);
});
