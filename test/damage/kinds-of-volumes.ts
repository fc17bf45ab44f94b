import { setDefaultType } from '../../lib/client/default-types.ts';
import { GroupCommands } from '../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { createGroupType } from '../../lib/client/group-types.ts';
import { associate, createQosSpec } from '../../lib/client/qos-specs.ts';
import { setQuota } from '../../lib/client/quotas.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { TransferCommands } from '../../lib/client/transfer-commands.ts';
import { createType } from '../../lib/client/types.ts';
import type { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { Store } from '../../lib/redis/store.ts';

const topic = 'volume';
const deadline = { deadlineMs: 120_000 };
const owner = { userId: 'user', projectId: 'project' };
const hourMs = 3_600_000;
/** The same in every cluster. */
const id = (digit: string) => `${digit.repeat(8)}-0000-4000-8000-000000000000`;

/** Makes a type with limits, a group of its type with a volume of that type and a snapshot, an offered volume, and a quota. */
export async function makeKinds(store: Store, commands: VolumeCommands): Promise<void> {
  const limits = { total_iops_sec: '100' };
  const qosSpec = await createQosSpec(store, { id: id('1'), name: 'slow', consumer: 'front-end', specs: limits });
  const type = await createType(store, { id: id('2'), name: 'kind', metadata: { a: 'b' } });
  await associate(store, qosSpec.id, type.id);
  await setDefaultType(store, 'other', type.id);
  await setQuota(store, 'project', { volumes: 50 });
  const groupType = await createGroupType(store, {
    id: id('3'),
    name: 'pair',
    description: 'of two',
    specs: { c: 'd' },
  });
  const groups = new GroupCommands(store, commands);
  const group = await groups.create({
    ...owner,
    id: id('4'),
    name: 'group',
    type: groupType.id,
    volumeTypes: [type.id],
  });
  await commands.create({ ...owner, size: 1, node: 'n1', name: 'member', type: type.id, group: group.id }, deadline);
  const groupSnapshots = new GroupSnapshotCommands(store, new RequestClient(store), topic);
  await groupSnapshots.create(group.id, { ...owner, id: id('5'), name: 'moment' }, deadline);
  const offered = await commands.create({ ...owner, size: 1, node: 'n1', name: 'offered' }, deadline);
  const transfers = new TransferCommands(store, commands, topic);
  await transfers.create(offered.id, { id: id('6'), name: 'offer', withSnapshots: false, lengthMs: hourMs });
}
