import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { Hopeless, until } from '../../support/until.ts';

/** Real daemons are killed while a volume moves from one to the other. */

const MiB = 2 ** 20;
const patienceMs = 240_000;
/** Of the time that a migration takes. */
const moments =
  process.env['MIGRATION_KILLS'] === 'all' ? Array.from({ length: 20 }, (_, n) => (n + 0.5) / 20) : [0.2, 0.6, 0.95];

let root: string;
let server: RedisServer;
let store: Store;
let volumes: VolumeCommands;
let migrations: MigrationCommands;
const daemons = new Map<string, Blockstored>();

test.before(async () => {
  root = await mkdtemp(join(tmpdir(), 'blockstore-migration-'));
  server = await RedisServer.start();
  store = new Store(await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog), 'blockstore');
  volumes = new VolumeCommands(store, new RequestClient(store), 'volume');
  migrations = new MigrationCommands(store, volumes, 'volume');
  for (const name of ['n1', 'n2']) {
    await mkdir(join(root, name));
    await start(name);
  }
});

test.after.always(async () => {
  for (const daemon of daemons.values()) await daemon.kill();
  await store.connection.close();
  await server.stop();
  await rm(root, { recursive: true });
});

async function start(name: string): Promise<void> {
  const daemon = await Blockstored.start({
    storage_name: name,
    redis_url: server.url,
    state_dir: join(root, `state-${name}`),
    volume_driver: 'file',
    volume_target: 'none',
    volume_pool_dir: join(root, name),
    report_interval: '1',
    node_down_time: '600',
    migration_rate: '100',
    log_format: 'human',
  });
  daemons.set(name, daemon);
}

function other(name: string): string {
  return name === 'n1' ? 'n2' : 'n1';
}

async function sumOf(name: string, id: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(join(root, name, `volume-${id}`)))
    .digest('hex');
}

/** What is on storage, by its labels, and in Redis. */
async function differences(): Promise<string[]> {
  const storages = await Promise.all(
    ['n1', 'n2'].map(async (node) => {
      const ids = (await readdir(join(root, node))).flatMap((name) => /^volume-([0-9a-f-]{36})$/.exec(name)?.[1] ?? []);
      return { node, volumes: ids.map((id) => ({ id, sizeBytes: 100 * MiB, labels: {} })) };
    }),
  );
  return disagreements(store, storages);
}

test.serial('a migration ends well although either daemon is killed at any moment of it', async (t) => {
  t.timeout(30 * 60_000);
  const { id } = await volumes.create(
    { size: 0, userId: 'user', projectId: 'project', node: 'n1' },
    { deadlineMs: patienceMs },
  );
  const file = await open(join(root, 'n1', `volume-${id}`), 'r+');
  await file.write(randomBytes(60 * MiB), 0, 60 * MiB, 17 * MiB);
  await file.close();
  const sum = await sumOf('n1', id);
  const began = performance.now();
  await migrations.migrate(id, {}, { deadlineMs: patienceMs });
  const lengthMs = performance.now() - began;
  t.is(await sumOf('n2', id), sum);

  for (const moment of moments) {
    for (const victim of ['source', 'destination'] as const) {
      const from = (await volumesOf(store).lookup(id)).node;
      const point = `${victim} killed at ${moment} of a migration from ${from}`;
      await migrations.migrate(id, { to: other(from) });
      await pause(lengthMs * moment);
      const name = victim === 'source' ? from : other(from);
      await daemons.get(name)?.kill();
      await start(name);
      const end = await until(
        async () => {
          const volume = await volumesOf(store).lookup(id);
          if (volume.status.startsWith('error')) throw new Hopeless(`${point}: ${JSON.stringify(volume)}`);
          return volume.status === 'available' && !volume.task && volume;
        },
        `${point}: it ends`,
        patienceMs,
      );
      // The source goes on with it; one whose destination was away can have failed.
      if (victim === 'source') t.is(end.node, other(from), point);
      t.is(await sumOf(end.node, id), sum, point);
      await until(async () => (await differences()).length === 0, `${point}: nothing is left`, patienceMs).catch(
        () => undefined,
      );
      t.deepEqual(await differences(), [], point);
    }
  }
});
