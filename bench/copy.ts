import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { BackupDirectory } from '../lib/backups/directory.ts';
import { BackupCommands } from '../lib/client/backup-commands.ts';
import { ImageCommands } from '../lib/client/image-commands.ts';
import { MigrationCommands } from '../lib/client/migration-commands.ts';
import { RequestClient } from '../lib/client/request-client.ts';
import { FileDriver } from '../lib/drivers/file/driver.ts';
import { ImageDirectory } from '../lib/images/directory.ts';
import { Cluster } from '../test/support/cluster.ts';
import { deadline, newVolume } from './client.ts';
import type { Figure } from './figures.ts';

const MiB = 2 ** 20;
const bytes = 1024 * MiB;
/** The rest are holes. */
const dataBytes = 512 * MiB;
const sparseBytes = 64 * MiB;

/**
 * Megabytes a second, from the request to the end, of a volume of 1 GiB in a file that is half data: the yardsticks copy that file, on the
 * same file system, and end when it is durable.
 */
export async function benchCopy(): Promise<Figure[]> {
  const cluster = await Cluster.start();
  const place = join(cluster.directory, 'copies');
  const flags = { image_directory: join(place, 'images'), backup_directory: join(place, 'backups') };
  const [images, backups] = [new ImageDirectory(flags.image_directory), new BackupDirectory(flags.backup_directory)];
  try {
    const driver = await startNode(cluster, 'n1', place, flags);
    await startNode(cluster, 'n2', place, flags);
    const pathOf = (volume: string) => driver.localPath({ id: volume, size: 1, sizeBytes: bytes, labels: {} });
    const store = await cluster.store();
    const client = new RequestClient(store);
    const volumes = await cluster.commands();
    const create = (more: object) => volumes.create({ ...newVolume, ...more }, deadline);
    const { id } = await create({ node: 'n1' });
    const path = pathOf(id);
    await fill(path, dataBytes);

    const figures: Figure[] = [];
    const copied = join(place, 'copied');
    const measure = async (what: string, work: () => Promise<unknown>, yardstick: string, words: readonly string[]) => {
      const value = await rateOf(work);
      const [command = '', ...args] = words;
      const bare = await rateOf(() => execa(command, args));
      await rm(copied, { force: true });
      figures.push({ what, value, unit: 'MB/s', aim: '≥ 0.9×', yardstick: { what: yardstick, value: bare } });
    };
    const dd = ['dd', `if=${path}`, `of=${copied}`, 'bs=1M', 'conv=fsync,sparse', 'status=none'];
    const convert = (...words: string[]) => ['qemu-img', 'convert', '-t', 'writeback', ...words];

    const clones: string[] = [];
    await measure('clone', async () => clones.push((await create({ fromVolume: id })).id), 'dd', dd);
    for (const diskFormat of ['raw', 'qcow2'] as const) {
      const image = await images.create({ name: diskFormat, diskFormat });
      const upload = () => new ImageCommands(store, client, 'volume').upload(id, image.id, deadline);
      const to = convert('-f', 'raw', '-O', diskFormat, path, copied);
      await measure(`volume → image, ${diskFormat}`, upload, 'qemu-img convert', to);
      const source = join(place, diskFormat);
      await execa('qemu-img', ['convert', '-f', 'raw', '-O', diskFormat, path, source]);
      const from = convert('-f', diskFormat, '-O', 'raw', source, copied);
      const download = async () => clones.push((await create({ fromImage: image.id, node: 'n1' })).id);
      await measure(`image → volume, ${diskFormat}, the first on its node`, download, 'qemu-img convert', from);
      await measure(`image → volume, ${diskFormat}, in the cache of the node`, download, 'qemu-img convert', from);
    }
    const backup = await newBackup(backups, id);
    const backUp = () => new BackupCommands(store, client, 'volume').create(id, backup, deadline);
    await measure('volume → backup', backUp, 'dd', dd);
    await measure('backup → volume', () => create({ fromBackup: backup, node: 'n1' }), 'dd', dd);
    // The file of the volume itself is gone then.
    const [clone = ''] = clones;
    const bare = ['dd', `if=${pathOf(clone)}`, ...dd.slice(2)];
    const migrate = () => new MigrationCommands(store, volumes, 'volume').migrate(id, { to: 'n2' }, deadline);
    await measure('migration to another node', migrate, 'dd', bare);
    const sparse = await create({ node: 'n1' });
    const [from, kept] = [pathOf(sparse.id), join(place, 'sparse')];
    await fill(from, sparseBytes);
    await execa('cp', ['--sparse=always', from, kept]);
    const migrateSparse = () =>
      new MigrationCommands(store, volumes, 'volume').migrate(sparse.id, { to: 'n2' }, deadline);
    await measure('the same, with 64 MiB of data', migrateSparse, 'dd', ['dd', `if=${kept}`, ...dd.slice(2)]);
    return figures;
  } finally {
    await cluster.close();
  }
}

async function newBackup(backups: BackupDirectory, volume: string): Promise<string> {
  const id = randomUUID();
  const own = { id, name: '', status: 'creating', volume, volumeName: '', createTime: Date.now() } as const;
  await backups.create({ ...newVolume, ...own, parent: null, checksum: null, storedBytes: 0 });
  return id;
}

async function startNode(cluster: Cluster, name: string, place: string, flags: Record<string, string>) {
  const directory = join(place, name);
  await mkdir(directory, { recursive: true });
  const driver = new FileDriver({ directory });
  await cluster.node(name, flags, { name: 'files', driver });
  return driver;
}

/** Blocks of data at equal distances, the rest holes. */
async function fill(path: string, size: number): Promise<void> {
  await using file = await open(path, 'r+');
  const data = randomBytes(4 * MiB);
  for (let offset = 0; offset < size; offset += data.length) {
    await file.write(data, 0, data.length, (offset * bytes) / size);
  }
  await file.sync();
}

/** Megabytes a second. */
async function rateOf(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return bytes / 1e6 / ((performance.now() - begin) / 1000);
}
