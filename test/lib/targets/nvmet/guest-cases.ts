import assert from 'node:assert/strict';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { controllersOf } from '../../../../lib/connectors/nvme-controllers.ts';
import { tryParseNvmeAddress } from '../../../../lib/nvme/address.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { KernelConfigfs } from '../../../../lib/targets/configfs.ts';
import { checkKernel } from '../../../../lib/targets/nvmet/check.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { changesOf, crashAt } from '../kernel-changes.ts';
import { until } from '../../../support/until.ts';
import { casesOf } from '../conformance.ts';
import { NvmetMachine, kernelRoot, prefix } from './machine.ts';
import { pairCases } from './pair-cases.ts';

// Runs on a guest: node guest-cases.mjs [titles]. Prints "ok" or "not ok" for each case.

const machine = await NvmetMachine.create();
const [host, otherHost] = machine.hosts;
const data = Buffer.alloc(4096, 0x5a);
const list: { title: string; run: () => Promise<void> }[] = casesOf({
  authentication: 'none',
}).map(({ title, run }) => ({ title, run: () => run(machine) }));

async function volume(fields: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  return { ...(await machine.volume()), hosts: [host], ...fields };
}

function nqnOf({ address }: ExportSpec): string {
  return tryParseNvmeAddress(address)?.nqn ?? '';
}

list.push(
  {
    title: 'the modules are loaded, and doctor says so',
    run: async () => {
      assert.equal((await checkKernel(new ChildProcesses())).level, 'ok');
    },
  },
  {
    title: 'a host connects the volume by its identity, once, and another one is refused',
    run: async () => {
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const connector = await machine.connector();
      const options = { id: spec.id, sizeBytes: 2 ** 20 };
      const { devicePath } = await connector.connect(spec.address, options);
      assert.match(devicePath, /^\/dev\/nvme\d+n\d+$/, 'without udev it has the name of the kernel');
      assert.equal(connector.devicePath(spec.address), `/dev/disk/by-id/nvme-uuid.${spec.id}`);
      assert.equal((await connector.connect(spec.address, { ...options, mayBeInUse: true })).devicePath, devicePath);
      assert.equal(await machine.sh('cat /sys/class/nvme/*/fast_io_fail_tmo'), '180');
      const serial = await machine.sh('cat /sys/class/nvme/*/serial');
      assert.equal(serial.trim(), spec.id.replaceAll('-', '').slice(0, 20));
      const device = await open(devicePath, 'r+');
      await device.write(data, 0, data.length, 8192);
      await assert.rejects(connector.disconnect(spec.address), { code: 'DeviceInUse' });
      await assert.rejects(connector.connect(spec.address, options), { code: 'DeviceInUse' });
      await device.close();
      assert.equal(await connector.isOnHost(spec.address), true);
      await connector.disconnect(spec.address);
      await connector.disconnect(spec.address);
      assert.equal(await connector.isOnHost(spec.address), false);
      assert.equal(await machine.sh(`dd if=${spec.path} bs=4096 skip=2 count=1 status=none | tr -d Z | wc -c`), '0');
      const other = await machine.connector(otherHost);
      await assert.rejects(other.connect(spec.address, options), {
        code: 'ConnectorFailed',
        message: /does not admit this host, or does not export the volume there/,
      });
      await assert.rejects(connector.connect(spec.address, { ...options, sizeBytes: 2 ** 30 }), {
        code: 'ConnectorFailed',
        message: /its target has 1048576 bytes, the volume has 1073741824/,
      });
      assert.equal(await connector.isOnHost(spec.address), false, 'a failure leaves nothing behind');
    },
  },
  {
    title: 'a forced end takes the volume from a host that uses it; it cannot return, and what is left is removed',
    run: async () => {
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const connector = await machine.connector();
      const { devicePath } = await connector.connect(spec.address, { id: spec.id });
      const isLive = async () => (await controllersOf(nqnOf(spec))).some((one) => one.isLive);
      assert.equal(await isLive(), true);
      await target.removeExport(spec.id);
      await until(async () => !(await isLive()), 'the connection has ended');
      await target.ensureExport({ ...spec, hosts: [otherHost] });
      // It tries again every ten seconds.
      const refusal = `by host ${host} for subsystem ${nqnOf(spec)} not allowed`;
      await until(async () => (await machine.sh('dmesg')).includes(refusal), 'it has tried again');
      assert.equal(await isLive(), false);
      await assert.rejects(connector.connect(spec.address, { id: spec.id, timeoutMs: 3000 }), {
        code: 'ConnectorFailed',
      });
      await connector.disconnect(spec.address);
      assert.equal(
        await machine.sh(`ls ${devicePath} 2>&1 || true`),
        `ls: cannot access '${devicePath}': No such file or directory`,
      );
      await (await machine.connector(otherHost)).connect(spec.address, { id: spec.id });
    },
  },
  {
    title: 'a host that stays goes on when another one is refused, and when somebody has cleared the export',
    run: async () => {
      const target = await machine.target();
      const spec = await volume({ hosts: machine.hosts });
      await target.ensureExport(spec);
      const session = await machine.login(spec, host);
      const other = await machine.login(spec, otherHost);
      await session.write(0, data);
      await machine.sh('for file in /sys/class/nvme/*/fast_io_fail_tmo; do echo 100 >$file; done');
      await target.ensureExport({ ...spec, hosts: [host] });
      await session.write(4096, data);
      assert.deepEqual(await session.read(0, data.length), data);
      assert.deepEqual(await machine.users(spec), [host]);
      await other.close();
      await machine.made().removeExport(spec.id);
      await until(async () => (await target.listExports()).some(({ id }) => id === spec.id), 'it is exported again');
      assert.deepEqual(await session.read(4096, data.length), data);
      assert.deepEqual(target.problems(), []);
    },
  },
  {
    title: 'a host sees growth without looking, under its connection; and when it looks',
    run: async () => {
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const connector = await machine.connector();
      const { devicePath } = await connector.connect(spec.address, { id: spec.id });
      const device = await open(devicePath, 'r+');
      await machine.grow(spec);
      await target.resizeExport(spec);
      const size = () => machine.sh(`blockdev --getsize64 ${devicePath}`);
      await until(async () => (await size()) === String(2 ** 21), 'the device has grown');
      assert.equal(await connector.revalidate(spec.address, { sizeBytes: 2 ** 21 }), 2 ** 21);
      await device.write(data, 0, data.length, 2 ** 21 - data.length);
      await device.close();
      await connector.disconnect(spec.address);
    },
  },
  {
    title: 'a volume in a file is exported, with blocks of the size that its file system has',
    run: async () => {
      machine.onFiles = true;
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const connector = await machine.connector();
      const { devicePath } = await connector.connect(spec.address, { id: spec.id, sizeBytes: 2 ** 20 });
      assert.equal(await machine.sh(`blockdev --getss ${devicePath}`), '4096');
      await machine.sh(`printf abcd | dd of=${devicePath} conv=notrunc,fsync status=none`);
      assert.equal(await machine.sh(`head -c 4 ${spec.path}`), 'abcd');
      await machine.grow(spec);
      await target.ensureExport(spec);
      assert.equal(await connector.revalidate(spec.address, { sizeBytes: 2 ** 21 }), 2 ** 21);
      await connector.disconnect(spec.address);
      await target.removeExport(spec.id);
    },
  },
  {
    title: "others' subsystems and ports are listed without an id and left alone",
    run: async () => {
      const target = await machine.target();
      const theirs = await volume();
      const subsystem = `${kernelRoot}/subsystems/${prefix}volume-${theirs.id}`;
      await machine.sh(`mkdir ${subsystem} ${subsystem}/namespaces/7 ${kernelRoot}/ports/1 && cd ${subsystem}/namespaces/7 &&
        printf ${theirs.path} >device_path && echo 1 >enable && cd ${kernelRoot}/ports/1 && echo ipv4 >addr_adrfam &&
        echo tcp >addr_trtype && echo 127.0.0.1 >addr_traddr && echo 4421 >addr_trsvcid && ln -s ${subsystem} subsystems/x`);
      const before = await machine.state();
      const spec = await volume();
      await target.ensureExport(spec);
      const found = (await target.listExports()).find(({ path }) => path === theirs.path);
      assert.equal(found?.id, undefined);
      assert.equal(found?.address, `127.0.0.1:4421 tcp ${prefix}volume-${theirs.id} 1`);
      assert.deepEqual(await target.listTraces(), [spec.id]);
      await target.removeExport(spec.id);
      assert.equal(await machine.state(), before);
      machine.portal = { ip: '127.0.0.1', port: 4421 };
      await assert.rejects(machine.target(), { code: 'PortalUnusable', message: /port 1 of the kernel's NVMe target/ });
      const late = machine.made();
      await assert.rejects(late.ensureExport(spec), { code: 'PortalUnusable', message: /port 1 of the kernel's NVMe/ });
      assert.equal(await machine.state(), before);
      await machine.sh(
        `cd ${kernelRoot} && rm ports/1/subsystems/x && rmdir ports/1 ${subsystem}/namespaces/7 ${subsystem}`,
      );
    },
  },
  {
    title: 'a program on the port is named; without exports nothing listens',
    run: async () => {
      const server = createServer().listen(machine.portal.port, '0.0.0.0');
      await once(server, 'listening');
      await assert.rejects(machine.target(), { code: 'PortalUnusable', message: new RegExp(`process ${process.pid}`) });
      server.close();
      await once(server, 'close');
      const target = await machine.target();
      const spec = await volume();
      const listeners = () => machine.sh('cut -c 7-34 /proc/net/tcp | grep -c ":1144 00000000:0000 0A" || true');
      assert.equal(await listeners(), '0');
      await target.ensureExport(spec);
      assert.match(await machine.sh('cat /proc/net/tcp'), /0100007F:1144 00000000:0000 0A/, 'on that address alone');
      await target.removeExport(spec.id);
      assert.doesNotMatch(await machine.sh('cat /proc/net/tcp'), /:1144 00000000:0000 0A/);
    },
  },
  {
    title: 'a crash at any change of an export is made good by the next request',
    run: async () => {
      const spec = await volume();
      const first = machine.made({}, machine.quickConfigfs);
      await first.ensureExport(spec);
      const whole = await machine.state();
      await first.removeExport(spec.id);
      const none = await machine.state();
      const points = await changesOf(machine.quickConfigfs, async (configfs) =>
        machine.made({}, configfs).ensureExport(spec),
      );
      assert.ok(points.length > 15);
      for (const [point, name] of points.entries()) {
        await first.removeExport(spec.id);
        await crashAt(point, machine.quickConfigfs, (configfs) => machine.made({}, configfs).ensureExport(spec));
        await first.ensureExport(spec);
        assert.equal(await machine.state(), whole, `after a crash of its creation at ${name}`);
      }
      const ends = await changesOf(machine.quickConfigfs, async (configfs) =>
        machine.made({}, configfs).removeExport(spec.id),
      );
      for (const [point, name] of ends.entries()) {
        await first.ensureExport(spec);
        await crashAt(point, machine.quickConfigfs, (configfs) => machine.made({}, configfs).removeExport(spec.id));
        await first.removeExport(spec.id);
        await machine.sh(`rmdir ${kernelRoot}/hosts/${host} || true`); // it admits nobody, and goes with its next export
        assert.equal(await machine.state(), none, `after a crash of its removal at ${name}`);
        assert.deepEqual(await first.listTraces(), []);
      }
    },
  },
  {
    title: 'storage that hangs is ExportStays as long as a command of a host waits there',
    run: async () => {
      const spec = await volume();
      await machine.sh(`dmsetup create hanging --table "0 2048 linear $(readlink ${spec.path}) 0"; dmsetup mknodes`);
      const hanging = { ...spec, path: '/dev/mapper/hanging' };
      await machine.made().ensureExport(hanging);
      const session = await machine.login(spec, host);
      await session.write(0, data);
      await machine.sh('dmsetup suspend --noflush --nolockfs hanging');
      const hasty = machine.made({}, new KernelConfigfs(new ChildProcesses(), kernelRoot, { limitMs: 4000 }));
      const writing = session.write(0, data).catch(String);
      try {
        await until(
          async () => (await machine.sh('cat /sys/block/nvme*n1/inflight')).trim() !== '0        0',
          'it waits',
        );
        for (const tries of ['first', 'second']) {
          await assert.rejects(
            hasty.removeExport(spec.id),
            { code: 'ExportStays', message: /its sessions do not end/ },
            tries,
          );
          assert.deepEqual(await hasty.listTraces(), [spec.id]);
        }
      } finally {
        await machine.sh('dmsetup resume hanging');
      }
      await until(async () => {
        await hasty.removeExport(spec.id);
        return true;
      }, 'the export has ended');
      await writing;
      assert.deepEqual(await hasty.listTraces(), []);
      await session.close();
      await machine.sh('dmsetup remove hanging');
    },
  },
  {
    title: 'a portal of IPv6 is served',
    run: async () => {
      await machine.sh('ip -6 addr add fd77::11/64 dev lo || true');
      machine.portal = { ip: 'fd77::11', port: 4422 };
      const target = await machine.target();
      const spec = await volume();
      assert.equal(spec.address, `[fd77::11]:4422 tcp ${prefix}volume-${spec.id} 1`);
      await target.ensureExport(spec);
      assert.equal((await target.listExports())[0]?.address, spec.address);
      const connector = await machine.connector();
      await connector.connect(spec.address, { id: spec.id });
      const again = { id: spec.id, mayBeInUse: true };
      await connector.connect(spec.address, again);
      await connector.disconnect(spec.address);
    },
  },
  {
    title: 'volumes of ten exports have no identity in common',
    run: async () => {
      const target = machine.made({}, machine.quickConfigfs);
      const file = await volume();
      const specs: ExportSpec[] = [];
      for (let count = 0; count < 10; count += 1) {
        const id = crypto.randomUUID();
        specs.push({ ...file, id, address: target.addressOf(id) });
      }
      const start = performance.now();
      for (const spec of specs) await target.ensureExport(spec);
      const made = performance.now();
      for (const spec of specs) await target.ensureExport(spec);
      const same = performance.now();
      assert.equal((await target.listExports()).length, 10);
      const listed = performance.now();
      const rounded = [made - start, same - made, listed - same].map((ms) => `${Math.round(ms)} ms`);
      process.stdout.write(`# ten exports: made ${rounded[0]}, ensured again ${rounded[1]}, listed ${rounded[2]}\n`);
      for (const name of ['attr_serial', 'namespaces/1/device_uuid', 'namespaces/1/device_nguid']) {
        assert.equal(await machine.sh(`cat ${kernelRoot}/subsystems/*/${name} | sort -u | wc -l`), '10');
      }
      for (const { id } of specs) await target.removeExport(id);
    },
  },
);

list.push(...pairCases(machine));

/** A regular expression of titles, for one that is examined. */
const chosen = new RegExp(process.argv[2] ?? '');
for (const { title, run } of list.filter((one) => chosen.test(one.title))) {
  Object.assign(machine, { portal: { ip: '127.0.0.1', port: 4420 }, onFiles: false });
  const start = performance.now();
  try {
    await run();
    process.stdout.write(`ok ${title} # ${Math.round(performance.now() - start)} ms\n`);
  } catch (error) {
    process.stdout.write(`not ok ${title}: ${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = 1;
  }
  await machine.reset();
}
