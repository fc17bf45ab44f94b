import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { z } from 'zod';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { attachmentsOfVolume } from '../../../lib/models/attachment.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { Hopeless, until } from '../../support/until.ts';

/** The daemon with the API, the node of the volumes, and Redis are killed while requests are in flight. */

const rounds = process.env['API_KILLS'] === 'all' ? 10 : 1;
const victims = ['the daemon with the API', 'the node of the volumes', 'Redis'] as const;
const patienceMs = 240_000;
const project = 'project';
const GiB = 2 ** 30;
const MiB = 2 ** 20;

let root: string;
let server: RedisServer;
let store: Store;
let volumes: VolumeCommands;
let apiUrl: string;
const daemons = new Map<string, Blockstored>();

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'blockstore-api-kills-'));
  // What is acknowledged is on the disk: with `everysec` a crash may lose a second.
  server = await RedisServer.start('--appendfsync', 'always');
  store = new Store(await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog), 'blockstore');
  volumes = new VolumeCommands(store, new RequestClient(store), 'volume');
  for (const name of ['api', 'storage']) await start(name);
});

test.after.always(async () => {
  for (const daemon of daemons.values()) await daemon.kill();
  await store.connection.close();
  await server.stop();
  await rm(root, { recursive: true });
});

async function start(name: string): Promise<void> {
  const storage =
    name === 'api'
      ? { volume_driver: 'fake', fake_storage_bytes: '0', api_listen: '127.0.0.1:0' }
      : { volume_driver: 'file', volume_pool_dir: join(root, 'volumes') };
  const daemon = await Blockstored.start({
    storage_name: name,
    redis_url: server.url,
    state_dir: join(root, name),
    volume_target: 'none',
    max_operations: '2', // so that some wait when they are cut off
    report_interval: '1',
    node_down_time: '600',
    log_format: 'human',
    ...storage,
  });
  daemons.set(name, daemon);
  if (name === 'api') apiUrl = /the API is served at (\S+)/.exec(daemon.log)?.[1] ?? '';
}

async function kill(victim: (typeof victims)[number]): Promise<void> {
  if (victim === 'Redis') {
    await server.down('SIGKILL');
    return server.up();
  }
  const name = victim === 'the daemon with the API' ? 'api' : 'storage';
  await daemons.get(name)?.kill();
  return start(name);
}

/** One that a client repeats until it is accepted. */
interface Request {
  what: string;
  /** Returns whether it was accepted; throws where nobody answered. */
  send: () => Promise<boolean>;
  /** Whether it has ended as asked. Throws Hopeless where it has ended in another way. */
  hasEnded: () => Promise<boolean>;
}

const attachmentSchema = z.object({ attachment: z.object({ id: z.string() }) });
const createdSchema = z.object({ volume: z.object({ id: z.string() }) });

async function call(method: string, path: string, body?: object, headers: Record<string, string> = {}) {
  const answer = await fetch(`${apiUrl}/v3/${project}${path}`, {
    method,
    headers: {
      'content-type': 'application/json',
      'X-Auth-Token': `user:${project}`,
      'OpenStack-API-Version': 'volume 3.70',
      ...headers,
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await answer.text();
  // A Redis that is away: the client is to try again.
  if (![200, 202, 404, 503].includes(answer.status)) throw new Hopeless(`${method} ${path}: ${answer.status} ${text}`);
  return { status: answer.status, text };
}

async function find(id: string): Promise<VolumeState | undefined> {
  const found = await volumesOf(store).find(id);
  if (found?.status.startsWith('error')) throw new Hopeless(JSON.stringify(found));
  return found;
}

function creation(): Request {
  const key = randomUUID();
  let id: string | undefined;
  return {
    what: `create ${key}`,
    send: async () => {
      const { status, text } = await call('POST', '/volumes', { volume: { size: 1 } }, { 'Idempotency-Key': key });
      if (status !== 202) return false;
      ({ id } = createdSchema.parse(JSON.parse(text)).volume);
      return true;
    },
    hasEnded: async () => (await find(id ?? ''))?.status === 'available',
  };
}

function deletion(id: string): Request {
  return {
    what: `delete ${id}`,
    // 404: an earlier one, whose answer was lost, has ended.
    send: async () => (await call('DELETE', `/volumes/${id}`)).status !== 503,
    hasEnded: async () => (await find(id)) === undefined,
  };
}

function change(id: string): Request {
  const value = randomUUID();
  return {
    what: `metadata of ${id}`,
    send: async () => (await call('PUT', `/volumes/${id}/metadata`, { metadata: { value } })).status === 200,
    hasEnded: async () => (await find(id))?.metadata['value'] === value,
  };
}

/** `made`: the id of the attachment, once it is known. */
function attachment(id: string): Request & { made: string } {
  const key = randomUUID();
  const body = { attachment: { volume_uuid: id, instance_uuid: randomUUID(), connector: { host: 'h1' } } };
  const request = {
    what: `attach ${id}`,
    made: '',
    send: async () => {
      const { status, text } = await call('POST', '/attachments', body, { 'Idempotency-Key': key });
      if (status !== 200) return false;
      request.made = attachmentSchema.parse(JSON.parse(text)).attachment.id;
      return true;
    },
    hasEnded: async () => {
      const [use] = await attachmentsOfVolume(store, await volumesOf(store).lookup(id));
      return use?.id === request.made && use.status === 'connecting' && (await find(id))?.attachStatus === 'attached';
    },
  };
  return request;
}

function detachment(id: string, { made }: { made: string }): Request {
  return {
    what: `detach ${id}`,
    // 404: an earlier one, whose answer was lost, has ended.
    send: async () => (await call('DELETE', `/attachments/${made}`)).status !== 503,
    hasEnded: async () => (await find(id))?.attachStatus === 'detached',
  };
}

/** Small ones, of the client library: those of the API have a GiB at least. */
function prepare(count: number): Promise<string[]> {
  const one = async () => {
    const { id } = await volumes.create({ size: 0, userId: 'user', projectId: project }, { deadlineMs: patienceMs });
    return id;
  };
  return Promise.all(Array.from({ length: count }, one));
}

/** As a client does that repeats what was not answered, or answered with 503. Returns how often it was sent. */
async function insist({ what, send }: Request): Promise<number> {
  let sent = 0;
  await until(
    async () => {
      sent += 1;
      return send();
    },
    `${what} is accepted`,
    patienceMs,
  );
  return sent;
}

async function differences(): Promise<string[]> {
  const names = await readdir(join(root, 'volumes'));
  const ids = names.flatMap((name) => /^volume-([0-9a-f-]{36})$/.exec(name)?.[1] ?? []);
  const sizes = new Map(
    (await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()))).map((one) => [one.id, one.size]),
  );
  const stored = ids.map((id) => ({ id, sizeBytes: sizes.get(id) === 0 ? 100 * MiB : GiB, labels: {} }));
  return disagreements(store, [{ node: 'storage', volumes: stored }]);
}

test.serial('every request that is accepted ends as asked, whoever is killed while 50 are in flight', async (t) => {
  t.timeout(60 * 60_000);
  for (let round = 1; round <= rounds; round += 1) {
    for (const victim of victims) {
      const point = `${victim} killed, round ${round}`;
      const [toDelete, toAttach, toDetach, toChange] = [
        await prepare(10),
        await prepare(10),
        await prepare(10),
        await prepare(10),
      ];
      const attached = toDetach.map((id) => attachment(id));
      for (const one of attached) await insist(one);
      await ended(attached, point);
      const requests = [
        ...Array.from({ length: 10 }, creation),
        ...toDelete.map(deletion),
        ...toAttach.map(attachment),
        ...attached.map((one, at) => detachment(toDetach[at] ?? '', one)),
        ...toChange.map(change),
      ];
      t.is(requests.length, 50);
      const sent = Promise.all(requests.map(insist));
      await pause(Math.random() * 60);
      await kill(victim);
      const repeated = (await sent).filter((times) => times > 1).length;
      await ended(requests, point);
      t.is(await volumesOf(store).count(store.keys.volumes()), 40, `${point}: no volume is there twice`);
      await until(async () => (await differences()).length === 0, `${point}: all agree`, 30_000).catch(() => undefined);
      t.deepEqual(await differences(), [], point);
      t.log(`${point}: ${repeated} of 50 requests were sent again`);
      await clear();
    }
  }
});

async function ended(requests: readonly Request[], point: string): Promise<void> {
  for (const { what, hasEnded } of requests) await until(hasEnded, `${point}: ${what} ends`, patienceMs);
}

/** No volume is left for the next round. */
async function clear(): Promise<void> {
  const all = await Array.fromAsync(volumesOf(store).iterate(store.keys.volumes()));
  await Promise.all(
    all.map(async ({ id, attachStatus }) => {
      if (attachStatus === 'attached') await volumes.detach(id, { deadlineMs: patienceMs });
      await volumes.delete(id, { deadlineMs: patienceMs });
    }),
  );
}
