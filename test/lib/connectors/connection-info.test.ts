import test from 'ava';
import { connectionInfo } from '../../../lib/connectors/connection-info.ts';
import { type Limits, noLimits } from '../../../lib/models/limits.ts';
import { endpointText } from '../../../lib/rbd/connection.ts';

const id = '84d1b079-22ef-4b9c-8b41-c10760c03cc7';
const chap = { user: 'user-1', secret: 'secret-of-16-chars' };
const info = (
  address: string,
  more: { limits?: Limits; chap?: typeof chap; mode?: 'rw' | 'ro'; endpoint?: string } = {},
) =>
  connectionInfo(
    { id, address, chap: more.chap, limits: more.limits ?? noLimits, encryptionKey: '' },
    { mode: more.mode ?? 'rw', endpoint: more.endpoint ?? '' },
  );

test('each kind of address has the form that programs of the family know', (t) => {
  t.deepEqual(info('e3.7', { endpoint: '52:54:00:00:00:01' }), {
    driver_volume_type: 'aoe',
    data: {
      volume_id: id,
      access_mode: 'rw',
      encrypted: false,
      qos_specs: null,
      target_shelf: 3,
      target_lun: 7,
      mac: '52:54:00:00:00:01',
    },
  });
  const name = `iqn.2010-10.org.openstack:volume-${id}`;
  t.deepEqual(info(`[fd00::1]:3260,1 ${name} 1`, { chap, mode: 'ro' }), {
    driver_volume_type: 'iscsi',
    data: {
      volume_id: id,
      access_mode: 'ro',
      encrypted: false,
      qos_specs: null,
      target_discovered: false,
      target_portal: '[fd00::1]:3260',
      target_iqn: name,
      target_lun: 1,
      auth_method: 'CHAP',
      auth_username: 'user-1',
      auth_password: 'secret-of-16-chars',
    },
  });
  t.like(info(`10.0.0.1:4420 tcp nqn.2014-08.org.example:volume-${id} 1`), {
    driver_volume_type: 'nvmeof',
    data: { target_portal: '10.0.0.1', target_port: '4420', ns_id: 1, transport_type: 'tcp' },
  });
  const fsid = 'f3f2c2a0-0000-4000-8000-000000000001';
  const addresses = [{ host: '192.0.2.1', port: '6789' }];
  const endpoint = endpointText({ user: 'hosts', secretUuid: '' }, { fsid, protocol: 'v1', addresses });
  t.like(info(`rbd:volumes/volume-${id}`, { endpoint }), {
    driver_volume_type: 'rbd',
    data: { name: `volumes/volume-${id}`, hosts: ['192.0.2.1'], ports: ['6789'], auth_username: 'hosts' },
  });
  t.like(info(`sheepdog:volume-${id}`), { driver_volume_type: 'sheepdog', data: { name: `volume-${id}` } });
});

test('a volume without an address, and one on a Ceph that has not reported, cannot be connected', (t) => {
  t.is(info(''), undefined);
  t.is(info(`rbd:volumes/volume-${id}`), undefined);
});

test('limits have the names of the family, as text', (t) => {
  const limits = { iops: 500, bytesPerSecond: 2 ** 20 };
  t.deepEqual(info('e3.7', { limits })?.data['qos_specs'], {
    read_iops_sec: '500',
    write_iops_sec: '500',
    read_bytes_sec: '1048576',
    write_bytes_sec: '1048576',
  });
});
