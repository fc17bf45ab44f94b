import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { BackupDirectory } from '../../../../lib/backups/directory.ts';
import { type ClusterCommands, clusterCommands } from '../../../../lib/client/cluster-commands.ts';
import { RequestClient } from '../../../../lib/client/request-client.ts';
import { FakeDriver } from '../../../../lib/drivers/fake/driver.ts';
import type { VolumeSpec } from '../../../../lib/drivers/driver.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { startApiWithRoles } from '../../../support/api-roles.ts';
import { Cluster } from '../../../support/cluster.ts';

/** Volumes of this name get no storage. */
export const brokenName = 'broken';
/** A node whose backend calls may close: volumes have the other one. */
export const spareNode = 'n2';
const deadline = { deadlineMs: 60_000 };

/** A cluster in which callers of every role try calls on objects of several projects. */
export interface PolicyPlace {
  store: Store;
  commands: ClusterCommands;
  backups: BackupDirectory;
  roles: Awaited<ReturnType<typeof startApiWithRoles>>;
  /** Returns the id of a new volume that is available. */
  volume(project: string): Promise<string>;
  close(): Promise<void>;
}

export async function policyPlace(): Promise<PolicyPlace> {
  const cluster = await Cluster.start();
  const backups = new BackupDirectory(join(cluster.directory, 'backups'));
  await mkdir(backups.place);
  const flags = {
    backup_directory: backups.place,
    image_directory: join(cluster.directory, 'images'),
    report_interval: '600',
    node_down_time: '3600',
  };
  for (const name of ['n1', spareNode]) {
    await cluster.node(name, { ...flags, num_shell_tries: '1' }, { driver: new PartlyBrokenDriver() });
  }
  const store = await cluster.store();
  const commands = clusterCommands(store, { client: new RequestClient(store), topic: 'volume' });
  const roles = await startApiWithRoles(cluster, flags);
  return {
    store,
    commands,
    backups,
    roles,
    volume: async (projectId) => {
      const request = { size: 1, userId: 'u', projectId, name: `v-${randomUUID()}`, metadata: { k: 'v' } };
      return (await commands.commands.create({ ...request, isMultiattach: true }, deadline)).id;
    },
    close: async () => {
      await roles.close();
      await cluster.close();
    },
  };
}

class PartlyBrokenDriver extends FakeDriver {
  override createVolume(volume: VolumeSpec, options = {}): ReturnType<FakeDriver['createVolume']> {
    if (volume.labels['name'] === brokenName) return Promise.reject(new Error('the disk is gone'));
    return super.createVolume(volume, options);
  }
}
