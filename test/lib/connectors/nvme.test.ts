import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkNvmeHost } from '../../../cli/doctor/nvme-host.ts';
import { connectorOf, connectorOfHosts } from '../../../lib/connectors/registry.ts';
import { hostNqns, nvmeAddress, tryParseNvmeAddress } from '../../../lib/nvme/address.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { survivesKills } from './cut.ts';
import { FakeNvme } from './fake-nvme.ts';

const MiB = 2 ** 20;
const hostNqn = 'nqn.2014-08.org.nvmexpress:uuid:0a1b2c3d-0000-4000-8000-00000000000a';
const prefix = 'nqn.2010-10.org.openstack:';

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-nvme-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A fake host, and a portal that accepts connections. */
async function placeFor(t: ExecutionContext, { uuid = '', isSilent = false } = {}) {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  if (isSilent) server.close();
  else t.teardown(() => server.close());
  const id = randomUUID();
  const host = new FakeNvme(await directoryFor(t), { uuid: uuid || id, bytes: 100 * MiB });
  await writeFile(host.file('hostnqn'), `${hostNqn}\n`);
  const address = nvmeAddress({ ip: '127.0.0.1', port }, prefix, id);
  return {
    host,
    id,
    address,
    port,
    nqn: `${prefix}volume-${id}`,
    options: { id, sizeBytes: 100 * MiB, timeoutMs: 200 },
  };
}

test('fake nvme: a volume is connected at its one portal by the name of the host, and disconnected by its own', async (t) => {
  const { host, address, options, port, nqn } = await placeFor(t);
  t.deepEqual(await host.connector.connect(address, options), { devicePath: host.file('dev/nvme0n1') }, 'no udev');
  t.deepEqual(host.calls, [
    `connect --transport=tcp --traddr=127.0.0.1 --trsvcid=${port} --nqn=${nqn} --hostnqn=${hostNqn} --ctrl-loss-tmo=-1`,
  ]);
  t.true(await host.connector.isOnHost(address));
  await host.connector.connect(address, { ...options, mayBeInUse: true });
  t.is(host.calls.length, 1, 'it stays connected');
  await host.connector.disconnect(address);
  await host.connector.disconnect(address);
  t.deepEqual(host.calls.slice(1), [`disconnect --nqn=${nqn}`]);
  t.false(await host.connector.isOnHost(address));
});

test('fake nvme: a program that is killed at any command leaves what the next one completes or removes', async (t) => {
  const { host, address, options } = await placeFor(t);
  const count = async () => (await readdir(host.file('sys/class/nvme')).catch(() => [])).length;
  await survivesKills(t, { cut: host.cut, connector: host.connector, address, options, count });
});

test('fake nvme: what is connected with another node is disconnected, also where it may be in use', async (t) => {
  const { host, address, options, nqn } = await placeFor(t);
  await host.hold(nqn, { ip: '192.0.2.7', state: 'connecting' });
  await host.connector.connect(address, { ...options, mayBeInUse: true });
  t.deepEqual(
    host.calls.map((call) => call.split(' ')[0]),
    ['disconnect', 'connect'],
  );
});

test('fake nvme: a device of another volume or size is refused, and nothing is left', async (t) => {
  const other = await placeFor(t, { uuid: randomUUID() });
  await t.throwsAsync(other.host.connector.connect(other.address, other.options), {
    code: 'ConnectorFailed',
    message: /has the UUID [0-9a-f-]{36}: it is not the volume$/,
  });
  t.false(await other.host.connector.isOnHost(other.address));
  const { host, address, options } = await placeFor(t);
  await t.throwsAsync(host.connector.connect(address, { ...options, sizeBytes: 2 ** 30 }), {
    code: 'ConnectorFailed',
    message: /its target has 104857600 bytes, the volume has 1073741824/,
  });
  t.false(await host.connector.isOnHost(address));
});

test('fake nvme: what a host lacks is named with its remedy', async (t) => {
  const { host, address, options } = await placeFor(t);
  const refused = (code: string, message: RegExp) =>
    t.throwsAsync(host.connector.connect(address, options), { code, message });
  host.fails.set('connect', 'Failed to write to /dev/nvme-fabrics: Input/output error\n');
  await refused('ConnectorFailed', /does not admit this host, or does not export the volume there$/);
  host.fails.set('connect', 'Failed to write to /dev/nvme-fabrics: Invalid argument\n');
  await refused('ConnectorFailed', /Failed to write to \/dev\/nvme-fabrics: Invalid argument$/);
  host.isInstalled = false;
  const missing = await t.throwsAsync(host.connector.connect(address, options), { message: /nvme/ });
  t.regex(JSON.stringify(missing), /nvme-cli/);
  await writeFile(host.file('hostnqn'), '');
  const unnamed = await refused('ConnectorFailed', /it has no host NQN: .*hostnqn has none$/);
  t.regex(JSON.stringify(unnamed), /nvme gen-hostnqn/);
  const silent = await placeFor(t, { isSilent: true });
  await t.throwsAsync(silent.host.connector.connect(silent.address, silent.options), {
    code: 'ConnectorFailed',
    message: new RegExp(`the portal 127.0.0.1:${silent.port} does not answer: connection refused`),
  });
});

test('fake nvme: a device that does not grow is named', async (t) => {
  const { host, address, options } = await placeFor(t);
  await t.throwsAsync(host.connector.revalidate(address), { code: 'ConnectorFailed', message: /it is not connected/ });
  await host.connector.connect(address, options);
  t.is(await host.connector.revalidate(address), 100 * MiB);
  await t.throwsAsync(host.connector.revalidate(address, { sizeBytes: 200 * MiB, timeoutMs: 100 }), {
    message: /it has 104857600 bytes instead of 209715200/,
  });
  t.is(host.calls.at(-1), `ns-rescan ${host.file('dev/nvme0')}`);
});

test('addresses and names of NVMe have one form each', (t) => {
  const id = randomUUID();
  const nqn = `${prefix}volume-${id}`;
  const text = nvmeAddress({ ip: 'fd00::7', port: 4420 }, prefix, id);
  t.is(text, `[fd00::7]:4420 tcp ${nqn} 1`);
  t.deepEqual(tryParseNvmeAddress(text), { ip: 'fd00::7', port: 4420, nqn, volume: id });
  for (const other of [
    `192.0.2.7:4420 tcp ${nqn} 2`,
    `192.0.2.7:4420 rdma ${nqn} 1`,
    `192.0.2.7:4420 tcp ${prefix}volume-x 1`,
    `192.0.2.7:4420,1 iqn.2010-10.org.openstack:volume-${id} 1`,
    `192.0.2.7:0 tcp ${nqn} 1`,
  ]) {
    t.is(tryParseNvmeAddress(other), undefined, other);
  }
  t.deepEqual(hostNqns([` ${hostNqn}`, 'nqn.2014-08.com.example:A', hostNqn]), ['nqn.2014-08.com.example:A', hostNqn]);
  for (const name of ['nqn.2014-08.com.example:a/b', 'nqn.2014-08.com.example:a b', 'iqn.2014-08.com.example:a', '']) {
    t.throws(() => hostNqns([name]), { code: 'InvalidArgument' }, name);
  }
  const context = { processes: new ChildProcesses() };
  t.is(connectorOf(text, context)?.name, 'nvme');
  t.is(connectorOfHosts([hostNqn], context)?.name, 'nvme');
});

test('doctor names what a host lacks to connect volumes by NVMe', async (t) => {
  const directory = await directoryFor(t);
  const nameFile = join(directory, 'hostnqn');
  const use = { targets: new Set(['nvmet']), twins: {} };
  const options = { use, isRequired: true, nameFile, system: directory };
  class Host extends ChildProcesses {
    override async run() {
      return { stdout: '', stderr: '' };
    }
  }
  const [unnamed] = await checkNvmeHost(new Host(), options);
  t.is(unnamed?.level, 'bad');
  t.regex(unnamed?.message ?? '', /^this host cannot connect NVMe volumes: it has no host NQN/);
  await writeFile(nameFile, `${hostNqn}\n`);
  t.deepEqual(await checkNvmeHost(new Host(), options), [
    { level: 'ok', message: `this host is the NVMe host ${hostNqn}` },
  ]);
  const [clone] = await checkNvmeHost(new Host(), { ...options, use: { ...use, twins: { nqn: 'host2' } } });
  t.is(clone?.message, `host host2 has the NQN of this host, ${hostNqn}`);
});
