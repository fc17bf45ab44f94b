import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { z } from 'zod';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FileDriver } from '../../../lib/drivers/file/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { ApiClient } from '../../support/api.ts';
import { startApiWithRoles } from '../../support/api-roles.ts';
import { Cluster } from '../../support/cluster.ts';
import { until } from '../../support/until.ts';

/** What compute services and administrators say at the end of a migration. */

const MiB = 2 ** 20;
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'u', projectId: 'p1' };

let cluster: Cluster;
let roles: Awaited<ReturnType<typeof startApiWithRoles>>;
let admin: ApiClient;
let store: Store;
let commands: VolumeCommands;
test.before(async () => {
  cluster = await Cluster.start();
  const backends = await Promise.all(
    ['files', 'more'].map(async (name) => {
      const directory = join(cluster.directory, name);
      await mkdir(directory);
      return { name, driver: new FileDriver({ directory }) };
    }),
  );
  await cluster.node('n1', { report_interval: '1', node_down_time: '60', migration_rate: '10' }, backends);
  roles = await startApiWithRoles(cluster, {});
  admin = roles.as('p1', 'admin').version(70);
  store = await cluster.store();
  commands = await cluster.commands();
});
test.after.always(async () => {
  await roles?.close();
  await cluster?.close();
});

const errorSchema = z.record(z.string(), z.object({ message: z.string() }));

async function make(): Promise<string> {
  return (await commands.create({ ...owner, size: 0, node: 'n1@files' }, deadline)).id;
}

/** Returns the status of an answer, with the message of an error or what it says of a success. */
async function sent(id: string, body: unknown, from = admin): Promise<string> {
  const { status, body: answer } = await from.post(`/v3/volumes/${id}/action`, body);
  return `${status}: ${status < 300 ? JSON.stringify(answer) : (Object.values(errorSchema.parse(answer))[0]?.message ?? '')}`;
}

function complete(id: string, other: string, error?: unknown, from = admin): Promise<string> {
  const body = { new_volume: other, ...(error === undefined ? {} : { error }) };
  return sent(id, { 'os-migrate_volume_completion': body }, from);
}

const saved = (id: string) => `200: ${JSON.stringify({ save_volume_id: id })}`;

test.serial('the end of a migration is awaited, or it is cancelled', async (t) => {
  const [id, other] = [await make(), await make()];
  const data = randomBytes(100 * MiB);
  await writeFile(join(cluster.directory, 'files', `volume-${id}`), data, { flag: 'r+' });
  const migrate = async () => {
    t.regex(await sent(id, { 'os-migrate_volume': { host: 'n1@more' } }), /^202/);
    await until(async () => ((await volumesOf(store).lookup(id)).progress ?? 0) > 5, 'data are sent');
  };
  await migrate();
  t.regex(await complete(id, id, false, roles.as('p1', 'member').version(70)), /^403/);
  t.regex(await complete(id, randomUUID()), /^404/);
  t.regex(await complete(id, other, true), /^400: volume .* is migrated with its id: no other volume takes its place/);
  t.regex(await complete(other, id), /^400/);
  t.is(await complete(id, id, true), saved(id));
  t.like(await volumesOf(store).lookup(id), { backend: 'files', status: 'available', task: undefined });
  t.true((await readFile(join(cluster.directory, 'files', `volume-${id}`))).equals(data));

  await migrate();
  t.is(await complete(id, id, 'False'), saved(id));
  t.like(await volumesOf(store).lookup(id), { backend: 'more', status: 'available', task: undefined });
  t.true((await readFile(join(cluster.directory, 'more', `volume-${id}`))).equals(data));
  t.is(await complete(id, id), saved(id), 'it has ended');
});

test.serial('of two volumes that nothing migrates, the new one is kept', async (t) => {
  const [id, other] = [await make(), await make()];
  t.is(await complete(id, other), saved(other));
  t.is(await complete(id, other, true), saved(other));
  t.regex(await complete(id, 'x'), /^400: new_volume: must be a UUID/);
});
