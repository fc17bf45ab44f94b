import assert from 'node:assert/strict';
import { readFile, truncate } from 'node:fs/promises';
import { newChap } from '../../lib/models/chap.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { checkKernel } from '../../lib/targets/iscsi-lio/check.ts';
import { KernelConfigfs } from '../../lib/targets/configfs.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import { casesOf, untilServed } from '../lib/targets/conformance.ts';
import { changesOf, crashAt } from '../lib/targets/kernel-changes.ts';
import { until } from '../support/until.ts';
import { foreignCases } from './lio-foreign-cases.ts';
import { LioMachine, group, kernelRoot, prefix } from './lio-machine.ts';

// Runs on a lab machine: node test/lab/lio-cases.ts <disk>. Prints "ok" or "not ok" for each case.

const machine = await LioMachine.create(process.argv[2] ?? '');
const [host, otherHost] = machine.hosts;
const list: { title: string; run: () => Promise<void> }[] = [];

for (const [onDisk, durability, backstore] of [
  [false, 'sync', 'fileio on files'],
  [true, 'sync', 'fileio on logical volumes'],
  [true, 'cached', 'iblock'],
] as const) {
  for (const { title, run } of casesOf(machine.made())) {
    list.push({
      title: `${backstore}: ${title}`,
      run: async () => {
        machine.onDisk = onDisk;
        machine.durability = durability;
        await run(machine);
      },
    });
  }
}

async function volume(fields: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  return { ...(await machine.volume()), hosts: [host], chap: newChap(), ...fields };
}

list.push(...foreignCases(machine));

function groupPath({ id }: ExportSpec): string {
  return `iscsi/${prefix}volume-${id}/tpgt_1`;
}

async function capacity(spec: ExportSpec): Promise<number> {
  const login = spec.chap ? `${spec.chap.user}%${spec.chap.secret}@` : '';
  const { ip, port } = machine.portal;
  const url = `iscsi://${login}${ip}:${port}/${prefix}volume-${spec.id}/1`;
  return Number(await machine.sh(`iscsi-readcapacity16 -i ${host} -s '${url}'`));
}

list.push(
  {
    title: 'the module is loaded, and doctor says so',
    run: async () => {
      await machine.target();
      await machine.sh('modprobe -a target_core_iblock target_core_file');
      assert.equal((await checkKernel(new ChildProcesses())).level, 'ok');
    },
  },
  {
    title: 'the right to write changes under a session, and a host is added under it',
    run: async () => {
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const session = await machine.login(spec, host, spec.chap);
      await session.write(0, Buffer.alloc(512, 7));
      const both = [host, otherHost].toSorted();
      await target.ensureExport({ ...spec, readOnly: true, hosts: both });
      await assert.rejects(session.write(0, Buffer.alloc(512, 8)));
      assert.deepEqual(await session.read(0, 512), Buffer.alloc(512, 7));
      const reader = await machine.login(spec, otherHost, spec.chap);
      await assert.rejects(reader.write(0, Buffer.alloc(512, 9)), 'one that was added is read-only from the beginning');
      await reader.close();
      assert.equal((await target.listExports())[0]?.readOnly, true);
      await target.ensureExport(spec);
      await session.write(0, Buffer.alloc(512, 9));
      assert.deepEqual(await machine.users(spec), [host]);
      await session.close();
    },
  },
  {
    title: 'exports that somebody removes or opens are restored',
    run: async () => {
      const target = await machine.target();
      const [removed, opened] = [await volume(), await volume()];
      for (const spec of [removed, opened]) await target.ensureExport(spec);
      await machine.made().removeExport(removed.id);
      await machine.sh(`echo 1 >${kernelRoot}/${groupPath(opened)}/attrib/generate_node_acls`);
      await until(async () => {
        const found = await target.listExports();
        return [removed, opened].every(({ id }) => found.find((one) => one.id === id)?.hosts.join(' ') === host);
      }, 'both are as specified');
      await assert.rejects(machine.login(opened, otherHost, opened.chap));
      assert.deepEqual(target.problems(), []);
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
      for (let point = 0; point < points.length; point += 1) {
        await first.removeExport(spec.id);
        await crashAt(point, machine.quickConfigfs, (configfs) => machine.made({}, configfs).ensureExport(spec));
        await first.ensureExport(spec);
        assert.equal(await machine.state(), whole, `after a crash of its creation at ${points[point]}`);
      }
      const ends = await changesOf(machine.quickConfigfs, async (configfs) =>
        machine.made({}, configfs).removeExport(spec.id),
      );
      for (let point = 0; point < ends.length; point += 1) {
        await first.ensureExport(spec);
        await crashAt(point, machine.quickConfigfs, (configfs) => machine.made({}, configfs).removeExport(spec.id));
        await first.removeExport(spec.id);
        assert.equal(await machine.state(), none, `after a crash of its removal at ${ends[point]}`);
        assert.deepEqual(await first.listTraces(), []);
      }
    },
  },
  {
    title: 'after the kernel has forgotten everything 100 exports are there in seconds, with their data',
    run: async () => {
      const specs = await Promise.all(Array.from({ length: 100 }, () => volume()));
      const target = await machine.target();
      await target.close(); // it would restore them
      const times: number[] = [];
      for (const round of [0, 1]) {
        const start = performance.now();
        await Promise.all(specs.map((spec) => target.ensureExport(spec)));
        times.push(performance.now() - start);
        const [first] = specs;
        if (!first || round === 1) continue;
        const session = await machine.login(first, host, first.chap);
        await session.write(0, Buffer.alloc(512, 7));
        await session.close();
        const again = performance.now();
        await Promise.all(specs.map((spec) => target.ensureExport(spec)));
        times.push(performance.now() - again);
        const listing = performance.now();
        assert.equal((await target.listExports()).length, 100);
        times.push(performance.now() - listing);
        const quick = machine.made({}, machine.quickConfigfs);
        for (const { id } of specs) await quick.removeExport(id);
        assert.deepEqual(await target.listTraces(), []);
      }
      const [first] = specs;
      if (first) await untilServed(machine, first, host, Buffer.alloc(512, 7));
      const [made, same, listed, remade] = times.map((ms) => `${Math.round(ms)} ms`);
      process.stdout.write(
        `# 100 exports: made ${made}, ensured again ${same}, listed ${listed}, made again ${remade}\n`,
      );
      assert.ok(times.every((ms) => ms < 60_000));
    },
  },
  {
    title: 'hosts see the new size of a file after the next request, that of a logical volume at once',
    run: async () => {
      const target = await machine.target();
      const spec = await volume();
      await target.ensureExport(spec);
      const session = await machine.login(spec, host, spec.chap);
      await truncate(spec.path, 2 * 2 ** 20);
      assert.equal(await capacity(spec), 2 ** 20);
      await target.ensureExport(spec);
      assert.equal(await capacity(spec), 2 * 2 ** 20);
      assert.deepEqual(await machine.users(spec), [host], 'the session goes on');
      await session.close();
      machine.onDisk = true;
      for (const durability of ['sync', 'cached'] as const) {
        machine.durability = durability;
        const other = await machine.target();
        const onDisk = await volume();
        await other.ensureExport(onDisk);
        assert.equal(await capacity(onDisk), 4 * 2 ** 20);
        await machine.sh(`lvextend -q -L 8M ${group}/volume-${onDisk.id}`);
        assert.equal(await capacity(onDisk), 8 * 2 ** 20, durability);
      }
    },
  },
  {
    title: 'durability determines the backstore and its mode',
    run: async () => {
      const modes: string[] = [];
      for (const [onDisk, durability] of [
        [false, 'sync'],
        [false, 'cached'],
        [true, 'sync'],
        [true, 'cached'],
      ] as const) {
        Object.assign(machine, { onDisk, durability });
        const target = await machine.target();
        const spec = await volume();
        await target.ensureExport(spec);
        const path = await machine.sh(`ls -d ${kernelRoot}/core/*/volume-${spec.id}`);
        const cache = (await readFile(`${path}/attrib/emulate_write_cache`, 'utf8')).trim();
        const mode = /Mode: (\S+)/.exec(await readFile(`${path}/info`, 'utf8'))?.[1] ?? '-';
        modes.push(`${path.split('/').at(-2)} ${mode} ${cache}`);
        await target.removeExport(spec.id);
      }
      assert.deepEqual(modes, [
        'fileio_2010 O_DSYNC 0',
        'fileio_2010 Buffered-WCE 1',
        'fileio_2010 O_DSYNC 0',
        'iblock_2010 - 0',
      ]);
    },
  },
  {
    title: 'devices of two volumes have no identifier in common; secrets are for root alone',
    run: async () => {
      const target = await machine.target();
      const pages: string[][] = [];
      for (const spec of [await volume({ chap: undefined }), await volume({ chap: undefined })]) {
        await target.ensureExport(spec);
        const url = `iscsi://127.0.0.1:3260/${prefix}volume-${spec.id}/1`;
        const page = (code: number) => machine.sh(`iscsi-inq -i ${host} -e 1 -c ${code} ${url} | cat -v`);
        assert.ok((await page(0x80)).includes(spec.id));
        const lines = (await page(0x83)).split('\n');
        pages.push(lines.filter((line) => line.startsWith('Designator:[') && line !== 'Designator:[]'));
      }
      const [one = [], other = []] = pages;
      assert.ok(one.length >= 3);
      // cat -v shows the identifier of a port group by control characters, which all ports have in common.
      assert.deepEqual(
        one.filter((line) => other.includes(line) && line.includes('6a')),
        [],
      );
      const spec = await volume();
      await target.ensureExport(spec);
      const auth = `${kernelRoot}/${groupPath(spec)}/acls/${host}/auth`;
      assert.equal(await machine.sh(`stat -c %a ${auth}`), '700');
      assert.equal(await machine.sh(`cat ${auth}/password`), spec.chap?.secret);
    },
  },
  {
    title: 'a portal of IPv6 is served and announced',
    run: async () => {
      await machine.sh('modprobe -q ipv6; ip -6 addr add fd77::11/64 dev lo nodad');
      machine.portal = { ip: 'fd77::11', port: 3261 };
      const target = await machine.target();
      const spec = await volume({ chap: undefined });
      assert.match(spec.address, /^\[fd77::11\]:3261,1 iqn/);
      await target.ensureExport(spec);
      assert.deepEqual((await target.listExports())[0]?.address, spec.address);
      const listed = await machine.sh(`iscsi-ls -i ${host} iscsi://[fd77::11]:3261`);
      assert.ok(listed.includes(`volume-${spec.id} Portal:[fd77::11]:3261,1`), listed);
      const url = `iscsi://[fd77::11]:3261/${prefix}volume-${spec.id}/1`;
      assert.ok((await machine.sh(`iscsi-inq -i ${host} -e 1 -c 128 '${url}'`)).includes(spec.id));
      assert.equal(await machine.sh(`iscsi-ls -i ${otherHost} iscsi://[fd77::11]:3261`), '', 'others see no target');
    },
  },
  {
    title: 'sessions that hanging storage keeps from ending are ExportStays, and end when it answers',
    run: async () => {
      machine.onDisk = true;
      const spec = await volume();
      await (await machine.target()).ensureExport(spec);
      const session = await machine.login(spec, host, spec.chap);
      const volumeMap = `${group}-volume--${spec.id.replaceAll('-', '--')}`;
      await machine.sh(`dmsetup suspend --noflush --nolockfs ${volumeMap}`);
      try {
        const written = session.write(0, Buffer.alloc(512, 7)).catch(String);
        const hasty = machine.made({}, new KernelConfigfs(new ChildProcesses(), kernelRoot, { limitMs: 3000 }));
        await assert.rejects(hasty.removeExport(spec.id), {
          code: 'ExportStays',
          message: /enable stays: its sessions/,
        });
        await written;
      } finally {
        await machine.sh(`dmsetup resume ${volumeMap}`);
      }
      await machine.made().removeExport(spec.id);
      assert.deepEqual(await machine.made().listTraces(), []);
      await session.close();
    },
  },
);

/** A regular expression of titles, for one that is examined. */
const chosen = new RegExp(process.argv[3] ?? '');
for (const { title, run } of list.filter((one) => chosen.test(one.title))) {
  machine.portal = { ip: '127.0.0.1', port: 3260 };
  Object.assign(machine, { onDisk: false, durability: 'sync' });
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
