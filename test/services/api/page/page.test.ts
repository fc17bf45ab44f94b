import test from 'ava';
import type { Browser } from 'playwright-core';
import { z } from 'zod';
import type { Store } from '../../../../lib/redis/store.ts';
import { CliPlace } from '../../../cli/place.ts';
import { ApiClient } from '../../../support/api.ts';
import { missingForBrowser, startBrowser } from '../../../support/browser.ts';
import { fakeNode } from '../../../support/records.ts';
import { until } from '../../../support/until.ts';
import { WebPage } from '../../../support/web-page.ts';

/** A real daemon and the command line of a bundle, and a real browser. */
const withBrowser = missingForBrowser() === undefined ? test.serial : test.serial.skip;

let place: CliPlace;
let browser: Browser;
let client: ApiClient;
let store: Store;
test.before(async () => {
  if (missingForBrowser() !== undefined) return;
  place = await CliPlace.start();
  const daemon = await place.daemon('n1', { fake_storage: 'true', api_listen: '127.0.0.1:0' });
  client = new ApiClient(/the API is served at (http:[^"\s]+)/.exec(daemon.log)?.[1] ?? '');
  store = await place.store();
  browser = await startBrowser();
});
test.after.always(async () => {
  if (missingForBrowser() !== undefined) return;
  await browser?.close();
  await place?.close();
});

const volumes = '/v3/default/volumes';
const oneSchema = z.object({ volume: z.object({ id: z.string(), status: z.string() }) });

async function create(fields: object): Promise<string> {
  const { id } = oneSchema.parse((await client.post(volumes, { volume: { size: 1, ...fields } })).body).volume;
  await until(async () => {
    const { body } = await client.get(`${volumes}/${id}`);
    return oneSchema.parse(body).volume.status === 'available';
  }, 'available');
  return id;
}

/** Runs a command as the page shows it. Throws where it fails. */
async function run(line: string): Promise<string> {
  const { exitCode, stdout, stderr } = await place.shell(line);
  if (exitCode !== 0) throw new Error(`${line}: ${stderr}`);
  return stdout;
}

withBrowser('the overview shows the cluster with its problems and their hints, and follows what happens', async (t) => {
  const lease = await fakeNode(store, 'ill', { problems: 'eth1 is down', backends: [{}] });
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show('');
  t.is(await page.title(), 'Overview – blockstore');
  await page.getByText('2 up').waitFor();
  const problem = page.getByRole('listitem').filter({ hasText: 'node ill: eth1 is down' });
  t.regex((await problem.textContent()) ?? '', /run "blockstore doctor" on the node/);
  await create({ name: 'shown at once' });
  const row = page.getByRole('row').filter({ hasText: 'create ended' });
  await row.getByRole('link', { name: 'shown at once' }).waitFor();
  t.regex((await page.getByRole('link', { name: 'available' }).textContent()) ?? '', /available/);
  await lease.release();
  await page.getByText('1 stopped').waitFor();
  t.deepEqual(tab.mistakes, []);
});

withBrowser('a volume is created by the keyboard alone; the command that is shown does the same', async (t) => {
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show('#/volumes');
  for (let tries = 0; (await tab.focused()).text !== 'Create a volume' && tries < 20; tries += 1) {
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Create a volume' });
  await dialog.waitFor();
  t.regex((await tab.focused()).id, /-size$/);
  await page.keyboard.type('2');
  await page.keyboard.press('Tab');
  await page.keyboard.type("Ann's data");
  await page.keyboard.press('Tab');
  await page.keyboard.type('of the mail server');
  const line = (await dialog.getByRole('group', { name: 'The same by the command line' }).textContent()) ?? '';
  t.is(
    line,
    String.raw`blockstore volume create 2 --name 'Ann'\''s data' --description 'of the mail server' --user admin`,
  );
  await page.keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  await page.getByText("Volume Ann's data is being created").waitFor();
  await page.getByText("Ann's data: create ended").waitFor();
  const rows = page.getByRole('row').filter({ hasText: "Ann's data" });
  await rows.filter({ hasText: 'available' }).waitFor();
  t.is((await tab.focused()).text, 'Create a volume');
  await run(line);
  await rows.nth(1).waitFor();
  for (const row of await rows.all()) t.regex((await row.textContent()) ?? '', /2 GiB/);
  t.deepEqual(tab.mistakes, []);
});

withBrowser('volumes are found by their name, and listed in pages', async (t) => {
  await Promise.all(Array.from({ length: 30 }, (_, index) => create({ name: `many-${index}` })));
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show('#/volumes?name=many');
  const rows = page.getByRole('table').getByRole('rowheader');
  await until(async () => (await rows.count()) === 25, 'a page');
  await page.getByRole('link', { name: 'Next page' }).click();
  await until(async () => (await rows.count()) === 5, 'the rest');
  t.is((await tab.focused()).text, 'Volumes');
  await page.getByRole('link', { name: 'First page' }).click();
  await until(async () => (await rows.count()) === 25, 'the first page');
  await page.getByRole('searchbox').fill('many-7');
  await until(async () => (await rows.count()) === 1, 'the one of that name');
  t.is((await tab.focused()).id, 'search');
  t.true(page.url().endsWith('#/volumes?name=many-7'));
  const id = (await rows.first().getByRole('link').getAttribute('href'))?.split('/').at(-1) ?? '';
  await page.getByRole('searchbox').fill(id);
  await page.getByRole('heading', { name: 'many-7' }).waitFor();
  t.deepEqual(tab.mistakes, []);
});

withBrowser('a volume is attached, extended, detached and deleted by the commands that its page shows', async (t) => {
  const id = await create({ name: 'used' });
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  const sent: unknown[] = [];
  page.on('request', (request) => {
    if (/\/(action|snapshots)$/.test(request.url())) sent.push(request.postDataJSON());
  });
  await tab.show(`#/volumes/${id}`);
  const dialog = page.getByRole('dialog');
  const submit = async (action: string, values: Readonly<Record<string, string>>) => {
    await page.getByRole('button', { name: action }).click();
    for (const [label, value] of Object.entries(values)) await dialog.getByLabel(label, { exact: true }).fill(value);
    const line = (await dialog.getByRole('group', { name: 'The same by the command line' }).textContent()) ?? '';
    await dialog.getByRole('button', { name: action.split(' ', 1)[0] ?? '' }).click();
    await dialog.waitFor({ state: 'detached' });
    return line;
  };
  const use = page.getByRole('row').filter({ hasText: 'i-1' });
  const none = page.getByText('Attached to nothing.');
  const attach = await submit('Attach', {
    'Instance (required)': 'i-1',
    'Device in the instance (required)': '/dev/vdb',
  });
  await use.waitFor();
  const detach = await submit('Detach from i-1', {});
  await none.waitFor();
  await run(attach);
  await use.waitFor();
  const taken = page.getByRole('table', { name: 'Snapshots' }).getByRole('row').filter({ hasText: 'available' });
  const extend = await submit('Extend', { 'New size in GiB (required)': '3' });
  await page.getByText('3 GiB', { exact: true }).waitFor();
  await page.getByText('in-use').first().waitFor();
  await run(extend);
  const take = await submit('Take a snapshot', { Name: 'before' });
  await taken.filter({ hasText: 'before' }).waitFor();
  await run(take);
  await taken.nth(1).waitFor();
  await run(detach);
  await none.waitFor();
  t.is(await submit('Take a snapshot', {}), `blockstore snapshot create ${id}`);
  await taken.nth(2).waitFor();
  const [attached, detached, ...others] = sent;
  t.deepEqual(attached, {
    'os-attach': { instance_uuid: 'i-1', mountpoint: '/dev/vdb', host_name: '', mode: 'rw' },
  });
  t.notThrows(() => z.strictObject({ 'os-detach': z.strictObject({ attachment_id: z.uuid() }) }).parse(detached));
  t.deepEqual(others, [
    { 'os-extend': { new_size: 3 } },
    { snapshot: { volume_id: id, name: 'before' } },
    { snapshot: { volume_id: id } },
  ]);
  const { body } = await client.get(`/v3/default/snapshots?volume_id=${id}`);
  const { snapshots } = z.object({ snapshots: z.array(z.object({ id: z.string() })) }).parse(body);
  await run(`blockstore snapshot delete ${snapshots.map((snapshot) => snapshot.id).join(' ')}`);
  await page.getByRole('button', { name: 'Delete' }).click();
  t.is(await dialog.getByRole('group').textContent(), `blockstore volume delete ${id}`);
  await dialog.getByRole('button', { name: 'Delete the volume' }).click();
  await page.getByText('The volume does not exist any more.').waitFor();
  const history = page.getByRole('table', { name: 'History of the volume, the newest first' }).getByRole('row');
  // Its end comes as an event, which may be later than the answer that the volume is gone.
  await history.filter({ hasText: 'delete ended' }).waitFor();
  const rows = (await history.allTextContents()).slice(1);
  const events = rows.map((row) => /(\S+) (?:began|ended)/.exec(row.replace(/^.{19}/, ''))?.[0]);
  t.deepEqual(events.slice(0, 4), ['delete ended', 'delete began', 'delete-snapshot ended', 'delete-snapshot began']);
  t.deepEqual(events.slice(-4), ['attach ended', 'attach began', 'create ended', 'create began']);
  t.deepEqual(tab.mistakes, []);
});

withBrowser('a volume is attached to the host alone that the form names', async (t) => {
  const id = await create({ name: 'for one host' });
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show(`#/volumes/${id}`);
  await page.getByRole('button', { name: 'Attach' }).click();
  const dialog = page.getByRole('dialog');
  const initiator = 'iqn.1993-08.org.debian:01:abc';
  for (const [label, value] of [
    ['Instance (required)', 'i-2'],
    ['Host of the instance', 'h1'],
    ['Device in the instance (required)', '/dev/vdc'],
    ['Its initiator name or NQN', initiator],
  ] as const) {
    await dialog.getByLabel(label, { exact: true }).fill(value);
  }
  await dialog.getByLabel('Who may use the export').selectOption('initiator');
  await dialog.getByRole('button', { name: 'Attach' }).click();
  await dialog.waitFor({ state: 'detached' });
  const row = page.getByRole('row').filter({ hasText: 'i-2' });
  await row.filter({ hasText: 'h1' }).filter({ hasText: '/dev/vdc' }).waitFor();
  const { body } = await client.version(70).get(`/v3/default/attachments?volume_id=${id}`);
  t.like(body, { attachments: [{ status: 'attached', instance: 'i-2' }] });
  await page.getByRole('button', { name: 'Detach from i-2' }).click();
  await dialog.getByRole('button', { name: 'Detach' }).click();
  await page.getByText('Attached to nothing.').waitFor();
  t.deepEqual(tab.mistakes, []);
});

withBrowser('what is wrong with a request is said in its form, which stays', async (t) => {
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show('#/volumes');
  await page.getByRole('button', { name: 'Create a volume' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Type').fill('none-such');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await dialog.getByRole('alert').filter({ hasText: 'none-such' }).waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  t.is((await tab.focused()).text, 'Create a volume');
  t.deepEqual(tab.mistakes, []);
});

withBrowser('names with HTML in them are shown as they are', async (t) => {
  const name = '<img src=x onerror=alert(1)>"&lt;b>';
  const id = await create({ name, description: '<script>alert(2)</script>' });
  await using tab = await WebPage.open(browser, client.url);
  for (const hash of ['', '#/volumes', `#/volumes/${id}`]) {
    await tab.show(hash);
    await tab.page.getByText(name).first().waitFor();
  }
  t.is(await tab.page.locator('img[src=x]').count(), 0);
  t.deepEqual(tab.mistakes, []);
});

withBrowser('a node that does not answer is reported, until it does', async (t) => {
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  await tab.show('');
  await page.route('**/v3/**', (route) => route.abort());
  const connection = page.getByRole('status').first();
  await connection.filter({ hasText: 'The node does not answer; trying again' }).waitFor();
  await page.unrouteAll();
  await until(async () => (await connection.textContent()) === '', 'the report is gone');
  t.deepEqual(tab.mistakes, []);
});

withBrowser('whoever the API does not know signs in; the token stays in this tab, and ends with it', async (t) => {
  const password = 'correct horse battery';
  await run('blockstore project create mail');
  await run(`echo '${password}' | blockstore user create ann --project mail`);
  const daemon = await place.daemon('n2', { fake_storage: 'true', api_listen: '127.0.0.1:0', auth_strategy: 'local' });
  const [, url = ''] = /the API is served at (http:[^"\s]+)/.exec(daemon.log) ?? [];
  await using tab = await WebPage.open(browser, url);
  const { page } = tab;
  await page.goto(`${url}/#/volumes`);
  for (const [label, value] of [
    ['User', 'ann'],
    ['Password', 'a wrong guess'],
    ['Project', 'mail'],
  ] as const) {
    await page.getByLabel(label, { exact: true }).fill(value);
  }
  t.deepEqual(await tab.violations(), []);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').filter({ hasText: 'these credentials do not permit to sign in' }).waitFor();
  await page.getByLabel('Password').fill(password);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Volumes' }).waitFor();
  t.deepEqual(await page.context().cookies(), []);
  t.is(await page.evaluate('localStorage.length'), 0);
  const token = () => page.evaluate("JSON.parse(sessionStorage.getItem('blockstore-session')).token");
  const statusOf = async (text: unknown) =>
    (await new ApiClient(url, { 'x-auth-token': String(text) }).get('/v3/volumes')).status;
  const first = await token();
  t.is(await statusOf(first), 200);
  await run('blockstore token revoke --user ann');
  await page.getByText('The session has ended: sign in again.').waitFor();
  t.is(await page.evaluate('sessionStorage.length'), 0);
  await page.getByLabel('User', { exact: true }).fill('ann');
  await page.getByLabel('Password').fill(password);
  await page.getByLabel('Project', { exact: true }).fill('mail');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Volumes' }).waitFor();
  const second = await token();
  t.is(await statusOf(second), 200);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  await until(async () => (await statusOf(second)) === 401, 'the token has ended');
  t.deepEqual(tab.mistakes, []);
  await daemon.stop();
});

withBrowser('a reader sees no more than what readers may know, and nothing to change', async (t) => {
  const id = await create({ name: 'read-only' });
  await using tab = await WebPage.open(browser, client.url);
  const { page } = tab;
  const caller = { user_id: 'ann', project_id: 'default', roles: ['reader'] };
  await page.route('**/v3/blockstore/caller', (route) => route.fulfill({ json: { caller } }));
  for (const hash of ['', '#/volumes', `#/volumes/${id}`]) {
    await tab.show(hash);
    t.is(await page.getByRole('button').count(), 0, hash);
    t.is(await page.getByRole('link', { name: 'Nodes' }).count(), 0, hash);
    t.deepEqual(await tab.violations(), [], hash);
  }
  await page.getByRole('heading', { name: 'read-only' }).waitFor();
  t.deepEqual(tab.mistakes, []);
});

for (const colorScheme of ['light', 'dark'] as const) {
  withBrowser(`each view is usable by a screen reader, and 360 pixels wide, in ${colorScheme} colours`, async (t) => {
    const id = await create({
      name: 'a-name-without-any-blank-that-is-longer-than-a-small-window-is-wide',
      metadata: { tier: 'gold' },
    });
    await run(`blockstore volume attach ${id} --instance i-1 --mountpoint /dev/vdb`);
    await using tab = await WebPage.open(browser, client.url, { colorScheme, viewport: { width: 360, height: 640 } });
    for (const hash of ['', '#/volumes', `#/volumes/${id}`, '#/nodes', '#/nodes/n1']) {
      await tab.show(hash);
      t.deepEqual(await tab.violations(), [], hash);
      t.is(await tab.overflow(), 0, hash);
    }
    await tab.show(`#/volumes/${id}`);
    for (const action of ['Extend', 'Take a snapshot', 'Detach from i-1']) {
      await tab.page.getByRole('button', { name: action }).click();
      t.deepEqual(await tab.violations(), [], action);
      t.is(await tab.overflow(), 0, action);
      await tab.page.keyboard.press('Escape');
    }
    await tab.page.setViewportSize({ width: 1100, height: 800 });
    t.deepEqual(await tab.violations(), []);
    await run(`blockstore volume detach ${id}`);
    t.deepEqual(tab.mistakes, []);
  });
}
