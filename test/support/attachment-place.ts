import { auditReferences } from '../../lib/audit/references.ts';
import { AttachmentCommands } from '../../lib/client/attachment-commands.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { BlockStore } from '../../services/node/block-store.ts';
import { disagreements } from './agreement.ts';
import { Cluster } from './cluster.ts';
import { FakeTarget } from './fake-target.ts';

/** Of a node whose reports come between no two steps of a test. */
export const rarely = { report_interval: '600', node_down_time: '3600', num_shell_tries: '1' };
export const newVolume = { size: 1, userId: 'user', projectId: 'project' };
export const deadline = { deadlineMs: 10_000 };
export const hostA = '52:54:00:00:00:01';
export const hostB = '52:54:00:00:00:02';

export function at(instanceId: string, host: string): { instanceId: string; mountpoint: string; hosts: string[] } {
  return { instanceId, mountpoint: '/dev/vdb', hosts: [host] };
}

/** A cluster of the node n1, with the clients that attachments need. */
export interface AttachmentPlace {
  cluster: Cluster;
  store: Store;
  driver: FakeDriver;
  target: FakeTarget;
  node: BlockStore;
  commands: VolumeCommands;
  attachments: AttachmentCommands;
  /** Returns how records, storage and exports differ. */
  agreement: () => Promise<string[]>;
  /** Returns what an audit has found; without `repair` it changes nothing. */
  audit: (repair?: boolean) => Promise<string[]>;
  /** Makes a volume that the instances a and b have, each on its own host. Returns its id and those of the attachments. */
  shared: () => Promise<{ id: string; a: string; b: string }>;
}

export async function attachmentPlace(): Promise<AttachmentPlace> {
  const cluster = await Cluster.start();
  const [driver, target] = [new FakeDriver(), new FakeTarget()];
  const [store, commands] = [await cluster.store(), await cluster.commands()];
  return {
    cluster,
    store,
    driver,
    target,
    node: await cluster.node('n1', rarely, { driver, target }),
    commands,
    attachments: new AttachmentCommands(store, commands),
    agreement: async () => {
      const exports = [...target.exports.values()];
      return disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes(), exports }]);
    },
    audit: async (repair = true) => {
      const nodes = await cluster.nodeCommands();
      const { findings } = await nodes.audit('n1', { repair, remove: [] }, deadline);
      const ofReferences = await Array.fromAsync(auditReferences(store, { repair }));
      return [...findings, ...ofReferences].map(({ what }) => what);
    },
    shared: async () => {
      const { id } = await commands.create({ ...newVolume, isMultiattach: true }, deadline);
      const { use: a } = await commands.attach(id, at('a', hostA), deadline);
      const { use: b } = await commands.attach(id, at('b', hostB), deadline);
      return { id, a: a.id, b: b.id };
    },
  };
}
