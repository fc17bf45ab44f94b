import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { z } from 'zod';
import { Blockstored } from '../test/support/blockstored.ts';
import { freePort } from '../test/support/free-port.ts';
import { RedisServer } from '../test/support/redis-server.ts';
import { until } from '../test/support/until.ts';
import { bareAnswers } from './bare-http.ts';
import { makeClient } from './client.ts';
import { idleMs, memoryOf } from './memory.ts';
import { type Figure, median, perSecond, timesOf } from './figures.ts';
import { HttpConnection } from './http-connection.ts';

const alone = 1000;
const together = 12_000;
const pairs = 4000;
const listed = 100_000;
const pages = 200;
const clients = 32;
const project = '0123456789abcdef0123456789abcdef';
const base = `/v3/${project}`;
const newVolume = JSON.stringify({ volume: { size: 1, name: null, metadata: {} } });
const connector = {
  host: 'bench',
  ip: '127.0.0.1',
  initiator: 'iqn.1993-08.org.debian:01:bench',
  platform: 'x86_64',
  os_type: 'linux',
  multipath: false,
};

const volumeAnswer = z.object({ volume: z.object({ id: z.string(), status: z.string() }) });
const attachmentAnswer = z.object({ attachment: z.object({ id: z.string() }) });

/**
 * The API of one daemon with the fake driver, as shipped: clients are in this process, with a connection each; daemon and Redis
 * (append-only) are two others. The yardstick of a request is a bare HTTP server that answers as many bytes.
 */
export async function benchApi(): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-bench-'));
  const server = await RedisServer.start();
  const port = await freePort();
  const flags = {
    storage_name: 'bench',
    fake_storage: 'true',
    slots_per_shelf: '255',
    address_quarantine: '0',
    state_dir: directory,
    redis_url: server.url,
    api_listen: `127.0.0.1:${port}`,
    api_rate_limit: '0',
  };
  const begin = performance.now();
  const daemon = await Blockstored.start(flags);
  const ready = performance.now() - begin;
  const connections = await Promise.all(Array.from({ length: clients }, () => HttpConnection.open(port)));
  const { store, close } = await makeClient(server.url);
  try {
    const resident = async () => (await memoryOf(daemon.pid)).residentMiB + (await redisMiB(store.redis));
    await pause(idleMs);
    const idle = await resident();
    const [connection] = connections;
    if (!connection) throw new Error('there is no connection');
    await timesOf(500, () => createdAndAvailable(connection)); // warm
    const one = median(await timesOf(alone, () => createdAndAvailable(connection)));
    const total = () => store.redis.zcard(store.keys.volumes());
    const underWay = () => store.redis.zcard(store.keys.tasks('bench'));
    const many: number[] = [];
    for (let run = 0; run < 5; run += 1) {
      const start = performance.now();
      await spread(connections, together / 5, (own) => own.send('POST', `${base}/volumes`, newVolume));
      await until(async () => (await underWay()) === 0, 'all volumes are available');
      many.push(together / 5 / ((performance.now() - start) / 1000));
    }
    const id = await createdAndAvailable(connection);
    const { text } = await connection.send('GET', `${base}/volumes/${id}`);
    const show = median(await timesOf(alone, () => connection.send('GET', `${base}/volumes/${id}`)));
    const bareShow = await bareAnswers(text, alone);
    const attached = await pairsPerSecond(connections);
    while ((await total()) < listed) {
      await spread(connections, 5000, (own) => own.send('POST', `${base}/volumes`, newVolume));
    }
    const { page, bare } = await pageFigures(connection);
    return [
      { what: 'daemon start to READY, API included', value: ready, unit: 'ms', aim: '≤ 1,000' },
      { what: 'resident memory of an idle daemon and Redis, without volumes', value: idle, unit: 'MiB', aim: '≤ 150' },
      { what: 'create → available, one at a time', value: one, unit: 'ms', aim: '≤ 2' },
      { what: `create → available, ${clients} clients`, value: median(many), unit: '/s', aim: '≥ 3,000' },
      { what: 'show', value: show, unit: 'ms', aim: '≤ 1', yardstick: { what: 'bare HTTP server', value: bareShow } },
      { what: `attach + detach, ${clients} clients`, value: attached, unit: 'pairs/s', aim: '≥ 1,500' },
      {
        what: 'page of 100 of 100,000',
        value: page,
        unit: 'ms',
        aim: '≤ 6',
        yardstick: { what: 'bare HTTP server', value: bare },
      },
      {
        what: 'resident memory of daemon and Redis, 100,000 volumes',
        value: await resident(),
        unit: 'MiB',
      },
    ];
  } finally {
    for (const each of connections) each.close();
    await close();
    await daemon.kill();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

/** Returns the id of a volume that a client has asked for, and then asked about until it was available. */
async function createdAndAvailable(connection: HttpConnection): Promise<string> {
  const { text } = await connection.send('POST', `${base}/volumes`, newVolume);
  let { volume } = volumeAnswer.parse(JSON.parse(text));
  while (volume.status === 'creating') {
    const shown = await connection.send('GET', `${base}/volumes/${volume.id}`);
    ({ volume } = volumeAnswer.parse(JSON.parse(shown.text)));
  }
  if (volume.status !== 'available') throw new Error(`volume ${volume.id} is ${volume.status}`);
  return volume.id;
}

/** Each client has a volume of its own. */
async function pairsPerSecond(connections: readonly HttpConnection[]): Promise<number> {
  const volumes = new Map<HttpConnection, string>();
  for (const connection of connections) volumes.set(connection, await createdAndAvailable(connection));
  const instance_uuid = '00000000-0000-4000-8000-000000000001';
  return spread(connections, pairs, async (own) => {
    const attachment = { volume_uuid: volumes.get(own), instance_uuid, connector };
    const { text } = await own.send('POST', `${base}/attachments`, JSON.stringify({ attachment }));
    const { id } = attachmentAnswer.parse(JSON.parse(text)).attachment;
    await own.send('POST', `${base}/attachments/${id}/action`, JSON.stringify({ 'os-complete': null }));
    await own.send('DELETE', `${base}/attachments/${id}`);
  });
}

/** Follows the list from page to page, with all that each volume has. */
async function pageFigures(connection: HttpConnection): Promise<{ page: number; bare: number }> {
  let path = `${base}/volumes/detail?limit=100`;
  let last = '';
  const times = await timesOf(pages, async () => {
    const { text } = await connection.send('GET', path);
    last = text;
    const next = pageAnswer.parse(JSON.parse(text)).volumes_links[0].href;
    path = next.slice(next.indexOf('/v3'));
  });
  return { page: median(times), bare: await bareAnswers(last, pages) };
}

const pageAnswer = z.object({ volumes_links: z.tuple([z.object({ href: z.string() })]) });

/** How many a second the clients get done together, out of `count`; each uses its own connection. */
function spread(
  connections: readonly HttpConnection[],
  count: number,
  work: (connection: HttpConnection) => Promise<unknown>,
): Promise<number> {
  const free = [...connections];
  return perSecond(count, connections.length, async () => {
    const connection = free.pop();
    if (!connection) throw new Error('there are more clients than connections');
    try {
      await work(connection);
    } finally {
      free.push(connection);
    }
  });
}

async function redisMiB(redis: Redis): Promise<number> {
  return Number(/used_memory_rss:(\d+)/.exec(await redis.info('memory'))?.[1]) / 2 ** 20;
}
