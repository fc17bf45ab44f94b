/**
 * `npm run screenshots`: takes the pictures of the page in docs/ from a small cluster without storage: docs/page-light.png and
 * docs/page-dark.png. It needs Debian's Chromium.
 */
import path from 'node:path';
import type { Browser } from 'playwright-core';
import { FakeDriver } from '../lib/drivers/fake/driver.ts';
import type { Store } from '../lib/redis/store.ts';
import { volumesOf } from '../lib/models/volume.ts';
import { startApi } from '../test/support/api.ts';
import { startBrowser } from '../test/support/browser.ts';
import { Cluster } from '../test/support/cluster.ts';
import { fakeNode, insertVolume, taskText } from '../test/support/records.ts';
import { WebPage } from '../test/support/web-page.ts';

const docs = path.resolve(import.meta.dirname, '../docs');
const deadlineMs = 60_000;
const tib = 2 ** 40;

const cluster = await Cluster.start();
const store = await cluster.store(cluster.flags(), 'ann@desk1');
const attached = await fill(store);
const { api, client } = await startApi(cluster);
const browser = await startBrowser();
try {
  await takeOverview(browser);
  await takeVolume(browser);
} finally {
  await browser.close();
  await api.stop();
  await cluster.close();
}

/** Returns the id of a volume that is attached. */
async function fill(records: Store): Promise<string> {
  for (const name of ['storage1', 'storage2']) {
    await cluster.node(name, {}, { name: 'disks', driver: new FakeDriver({ totalBytes: 8 * tib }) });
  }
  const commands = await cluster.commands();
  const make = (name: string, size: number) =>
    commands.create({ name, size, userId: 'ann', projectId: 'default' }, { deadlineMs });
  const sizes = {
    'mail-data': 400,
    'mail-queue': 20,
    'db-1': 900,
    'db-2': 900,
    'web-logs': 250,
    'ci-cache': 120,
    scratch: 50,
  };
  const ids = new Map<string, string>();
  for (const [name, size] of Object.entries(sizes)) ids.set(name, (await make(name, size)).id);
  for (const [index, name] of ['mail-data', 'db-1', 'db-2'].entries()) {
    const attachment = { instanceId: `i-0${index + 1}f3a`, hostName: `compute${index + 1}`, mountpoint: '/dev/vdb' };
    await commands.attach(ids.get(name) ?? '', attachment, { deadlineMs });
  }
  await commands.delete(ids.get('scratch') ?? '', { deadlineMs });
  const pool = {
    name: 'disks',
    driver: 'lvm',
    target: 'iscsi-lio',
    pool: 'disks',
    totalBytes: 8 * tib,
    freeBytes: 3 * tib,
    capacityBytes: 4 * tib,
  };
  const problems = 'network interface eth1 is down';
  await fakeNode(records, 'storage3', { problems, backends: [{ ...pool, accepting: false }] });
  const lost = { node: 'storage3', backend: 'disks', projectId: 'default' };
  await insertVolume(records, {
    ...lost,
    name: 'archive',
    size: '700',
    status: 'deleting',
    task: taskText('delete'),
    progress: '64',
  });
  const fault = {
    code: 'NoSpace',
    kind: 'exhausted',
    message: 'disks has 12 GiB free; the request needs 300 GiB',
    hint: 'delete volumes, add a disk to the pool, or add a node',
  };
  await insertVolume(records, {
    ...lost,
    name: 'web-media',
    size: '300',
    status: 'error',
    fault: JSON.stringify(fault),
  });
  return (await volumesOf(records).lookup(ids.get('mail-data') ?? '')).id;
}

async function takeOverview(from: Browser): Promise<void> {
  await using tab = await WebPage.open(from, client.url, {
    colorScheme: 'light',
    viewport: { width: 1000, height: 900 },
  });
  await tab.show('');
  await tab.page.screenshot({ path: path.join(docs, 'page-light.png') });
}

async function takeVolume(from: Browser): Promise<void> {
  await using tab = await WebPage.open(from, client.url, {
    colorScheme: 'dark',
    viewport: { width: 1000, height: 900 },
  });
  await tab.show(`#/volumes/${attached}`);
  await tab.page.getByRole('button', { name: 'Extend' }).click();
  await tab.page.screenshot({ path: path.join(docs, 'page-dark.png') });
}
