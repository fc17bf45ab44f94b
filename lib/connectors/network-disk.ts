import { type NewElement, writeXml } from '../xml.ts';
import { noLimits } from '../models/limits.ts';
import { type DiskOptions, type NetworkSource, throttleOf } from './libvirt-disk.ts';

/** Returns the definition of a network disk. "virsh attach-disk" knows neither several hosts nor users. */
export function networkDisk(source: NetworkSource, target: string, options: DiskOptions): string {
  const { readOnly = false, serial, limits = noLimits } = options;
  const throttle = throttleOf(limits).map(([name, limit]) => ({ name, text: String(limit) }));
  const { protocol, name, hosts, auth } = source;
  const children: NewElement[] = [
    { name: 'driver', attributes: { name: 'qemu', type: 'raw', cache: 'none' } },
    ...(auth === undefined ? [] : [authOf(auth)]),
    {
      name: 'source',
      attributes: { protocol, name },
      children: hosts.map((host) => ({ name: 'host', attributes: host })),
    },
    { name: 'target', attributes: { dev: target, bus: 'virtio' } },
    ...(readOnly ? [{ name: 'readonly' }] : []),
    ...(serial === undefined ? [] : [{ name: 'serial', text: serial }]),
    ...(throttle.length === 0 ? [] : [{ name: 'iotune', children: throttle }]),
  ];
  return writeXml({ name: 'disk', attributes: { type: 'network', device: 'disk' }, children });
}

function authOf({ user, secretUuid }: NonNullable<NetworkSource['auth']>): NewElement {
  const secret = { name: 'secret', attributes: { type: 'ceph', uuid: secretUuid } };
  return { name: 'auth', attributes: { username: user }, children: [secret] };
}
