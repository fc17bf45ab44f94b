import test from 'ava';
import { SheepdogDriver } from '../../../../lib/drivers/sheepdog/driver.ts';
import { FakeSheepdog } from '../../../support/fake-sheepdog.ts';
import type { Kind } from '../conformance.ts';
import { CrashingProcesses } from '../crash-point.ts';
import { someCasesOf } from '../run-cases.ts';

const copies = 2;
const objectBytes = 4 * 2 ** 20;
const any = await FakeSheepdog.start(copies, copies);
const imageOf = (path: string) => path.slice(path.lastIndexOf(':') + 1);

function subject(cluster: FakeSheepdog): Kind {
  return {
    driver: cluster.driver(copies),
    again: (crash) =>
      crash
        ? new SheepdogDriver(cluster.options(copies), { processes: new CrashingProcesses(crash) })
        : cluster.driver(copies),
    names: async () => {
      const rows = (await cluster.dog('vdi', 'list', '-r')).split('\n').filter((row) => row !== '');
      // The kind, the name and the tag of each.
      return rows
        .map((row) => row.split(' '))
        .map(([kind, name, , , , , , , , tag]) => `${kind} ${name} ${tag}`)
        .toSorted();
    },
    breakSetup: async () => {
      await cluster.set('down');
      const repair = () => cluster.unset('down');
      return { code: 'SheepdogUnavailable', name: `127.0.0.1:${cluster.port}`, repair };
    },
    takenBytes: async () => {
      const [, , used = ''] = (await cluster.dog('node', 'info', '-r')).split('\n')[1]?.split(' ') ?? [];
      return Number(used) / copies;
    },
    // The stand-in writes to one object at a time.
    write: async (path, offset, bytes) => {
      for (let at = 0; at < bytes.length; at += objectBytes) {
        const part = bytes.subarray(at, at + objectBytes);
        await cluster.write(imageOf(path), offset + at, Buffer.from(part).toString());
      }
    },
    read: async (path, offset, length) => Buffer.from(await cluster.read(imageOf(path), offset, length)),
  };
}

for (const { title, run } of someCasesOf(subject(any))) {
  test(`sheepdog: ${title}`, async (t) => {
    t.timeout(15 * 60_000);
    const cluster = await FakeSheepdog.start(copies * 2.5 * 2 ** 30, copies);
    const kind = subject(cluster);
    await kind.driver.setup();
    await t.notThrowsAsync(run({ ...kind, sizeGiB: 2 }));
    await kind.driver.close();
    t.is(await cluster.violations(), '');
  });
}
