import test from 'ava';
import { networkDisk } from '../../../lib/connectors/network-disk.ts';
import { rbdDisks, sheepdogDisks } from '../../../lib/connectors/network-disks.ts';
import { connectorOf, connectorOfTarget } from '../../../lib/connectors/registry.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { endpointText } from '../../../lib/rbd/connection.ts';
import { SheepdogTarget } from '../../../lib/targets/sheepdog/target.ts';

const id = '6a1b6f4e-0b1c-4d7e-9a55-3f0c6f2f9c11';
const secretUuid = 'a7a4b3f7-6d0b-4b50-8f0e-6b5f1a0e2b1c';
const fsid = '00000000-0000-4000-8000-000000000001';
const addresses = [
  { host: '192.0.2.1', port: '6789' },
  { host: '[fd00::1]', port: '3300' },
];

test('a guest reaches a volume on Ceph by all monitors, as the user of the node', (t) => {
  const endpoint = endpointText({ user: 'guests', secretUuid }, { fsid, addresses });
  t.deepEqual(rbdDisks.sourceOf(id, `rbd:a-pool/volume-${id}`, endpoint), {
    protocol: 'rbd',
    name: `a-pool/volume-${id}`,
    hosts: [
      { name: '192.0.2.1', port: '6789' },
      { name: 'fd00::1', port: '3300' },
    ],
    auth: { user: 'guests', secretUuid },
  });
  const withoutSecret = endpointText({ user: 'guests', secretUuid: '' }, { fsid, addresses });
  t.like(
    t.throws(() => rbdDisks.sourceOf(id, `rbd:a-pool/volume-${id}`, withoutSecret), { code: 'ConnectorFailed' }),
    { message: `could not connect volume ${id} to this host: its node names no libvirt secret for its guests` },
  );
});

test('an endpoint that nobody has reported, or of another form, connects nothing', (t) => {
  for (const endpoint of ['', '{}', '52:54:00:77:00:01', '{"fsid":"x"}', 'host:7000', '192.0.2.1', '192.0.2.1:0']) {
    const error = { code: 'ConnectorFailed', message: /its node has not reported/ };
    t.throws(() => rbdDisks.sourceOf(id, `rbd:p/volume-${id}`, endpoint), error, endpoint);
    t.throws(() => sheepdogDisks.sourceOf(id, `sheepdog:volume-${id}`, endpoint), error, endpoint);
  }
});

test('a guest reaches a volume on Sheepdog by the daemon of the node', (t) => {
  for (const [address, name] of [
    ['192.0.2.1', '192.0.2.1'],
    ['fd00::1', 'fd00::1'],
  ] as const) {
    const target = new SheepdogTarget({ address, port: 7000 });
    t.deepEqual(sheepdogDisks.sourceOf(id, target.addressOf(id), target.endpoint), {
      protocol: 'sheepdog',
      name: `volume-${id}`,
      hosts: [{ name, port: '7000' }],
    });
  }
});

test('a volume on Ceph or Sheepdog is found by its address, and has no host that is admitted', async (t) => {
  const context = { processes: new ChildProcesses() };
  for (const name of ['rbd', 'sheepdog']) {
    const address = `${name}:${name === 'rbd' ? 'p/' : ''}volume-${id}`;
    t.is(connectorOf(address, context)?.name, name);
    const connector = connectorOfTarget(name, context);
    t.is(connector?.name, name);
    t.deepEqual(await connector?.hostsToAdmit(id), []);
  }
  for (const odd of ['rbd:p', `rbd:a b/volume-${id}`, `rbd:p/volume-${id}@s`, `sheepdog:volume-${id} `, 'sheepdog:x']) {
    t.is(connectorOf(odd, context), undefined, odd);
  }
});

test('a host has no device of a Sheepdog volume', async (t) => {
  const connector = connectorOfTarget('sheepdog', { processes: new ChildProcesses() });
  const expected = { code: 'ConnectorFailed', message: /the kernel has no devices of sheepdog volumes/ };
  t.like(await t.throwsAsync(async () => connector?.requireDevices?.(id), expected), {
    hint: 'attach it to a libvirt domain of this host: --domain',
  });
  await t.throwsAsync(async () => connector?.connect(`sheepdog:volume-${id}`), expected);
  t.false(await connector?.isOnHost(`sheepdog:volume-${id}`));
  await t.notThrowsAsync(async () => connector?.disconnect(`sheepdog:volume-${id}`));
});

test('whatever a source contains, it is no markup of the definition', (t) => {
  const odd = `'"><x/>&amp;`;
  const written = '&apos;&quot;&gt;&lt;x/&gt;&amp;amp;';
  const xml = networkDisk(
    { protocol: 'rbd', name: odd, hosts: [{ name: odd, port: '1' }], auth: { user: odd, secretUuid } },
    'vdb',
    { serial: odd },
  );
  t.is(xml.split(written).length, 5, xml);
  t.false(xml.includes('<x/>'));
});
