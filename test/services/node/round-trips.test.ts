import test, { type ExecutionContext } from 'ava';
import { AttachmentCommands } from '../../../lib/client/attachment-commands.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 10_000 };

/** A requester that has waited so long reads the record. */
const firstPollMs = 250;

/**
 * Asserts how often each command is sent to Redis while `work` runs; what scripts call does not count, nor do further readings of a
 * record where a busy machine took so long that the requester polled.
 */
async function assertSent(
  t: ExecutionContext,
  store: Store,
  work: () => Promise<unknown>,
  expectedOf: (sent: Record<string, number>) => Record<string, number>,
): Promise<void> {
  const monitor = await store.redis.monitor();
  const sent: Record<string, number> = {};
  const marker = Promise.withResolvers<void>();
  monitor.on('monitor', (_time: string, args: string[], source: string) => {
    const name = args[0]?.toLowerCase() ?? '';
    if (name === 'echo') marker.resolve();
    else if (source !== 'lua') sent[name] = (sent[name] ?? 0) + 1;
  });
  const began = performance.now();
  await work();
  const isPolled = performance.now() - began >= firstPollMs;
  await store.redis.echo('end');
  await marker.promise;
  monitor.disconnect();
  const expected = expectedOf(sent);
  const { hgetall = 0 } = sent;
  t.deepEqual(isPolled ? { ...sent, hgetall: Math.min(hgetall, expected['hgetall'] ?? 0) } : sent, expected);
}

test('operations take a fixed number of round trips to Redis, on a cluster of any size', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const flags = { report_interval: '60', node_down_time: '600' };
  for (const node of ['n1', 'n2', 'n3']) await cluster.node(node, flags);
  const commands = await cluster.commands();
  const store = await cluster.store();
  await commands.create(newVolume, deadline); // scripts are loaded, the replies subscribed to
  const { id } = await commands.create(newVolume, deadline);
  const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb' };

  // By the node: an entry and its record in one pipeline, the next reading, one script.
  const node = { hgetall: 1, xdel: 1, xread: 1, evalsha: 1 };
  // By the requester: one script with record, task, space and command. The best backends, their records and leases are read again where
  // those of an earlier request are older than two seconds, which a busy machine takes between two lines.
  const placement = { zrange: 1, hgetall: 1 + 3, exists: 3 };
  const ofCreate = ({ zrange }: Record<string, number>) => ({
    ...node,
    ...(zrange === undefined ? {} : placement),
    evalsha: 2,
  });
  await assertSent(t, store, () => commands.create(newVolume, deadline), ofCreate);

  const request = { ...node, hgetall: 2, evalsha: 2 };
  const withLeaseCheck = { ...request, evalsha: 3 };
  // The node reads the attachments of the volume, and the requester that which it made or ends.
  const ofAttachment = { ...request, hgetall: 4 };
  await assertSent(
    t,
    store,
    () => commands.attach(id, attachment, deadline),
    () => ofAttachment,
  );
  await assertSent(
    t,
    store,
    () => commands.detach(id, deadline),
    () => ofAttachment,
  );
  const attachments = new AttachmentCommands(store, commands);
  const volume = await volumesOf(store).lookup(id);
  let kept = '';
  const keep = async () => {
    const asked = { reservation: { instanceId: 'i-1' }, host: { hostName: 'h1' } };
    kept = (await attachments.reserveFor(volume, asked, deadline)).use.id;
  };
  const both = { ...request, hgetall: 3 };
  await assertSent(t, store, keep, () => both);
  await assertSent(
    t,
    store,
    () => attachments.complete(kept),
    () => ({ hgetall: 1, evalsha: 1 }),
  );
  await assertSent(
    t,
    store,
    () => attachments.delete(kept, deadline),
    () => ofAttachment,
  );
  await assertSent(
    t,
    store,
    () => commands.delete(id, deadline),
    () => withLeaseCheck,
  );
});
