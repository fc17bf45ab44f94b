import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { errors } from '../../../lib/errors.ts';
import { Cluster } from '../../support/cluster.ts';

const lost = errors.changeLost('v', 'create', 'without a record');

test('a record that is gone is no loss while the reply that says why is on its way', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const store = await cluster.store();
  const client = new RequestClient(store);
  let reply = async () => {};
  const call = client.call({
    deadlineMs: 20_000,
    send: async (to) => {
      const [channel = '', request] = to.split('/');
      const fault = { code: 'NoMoreVolumes', kind: 'exhausted', message: 'all are taken' };
      reply = async () => {
        await store.redis.publish(store.keys.replies(channel), JSON.stringify({ request, fault }));
      };
    },
    poll: async () => {
      setTimeout(() => void reply(), 1);
      return { fault: lost };
    },
  });
  t.like(await call, { fault: { code: 'NoMoreVolumes', message: 'all are taken' } });
});

test('a record that stays gone without a reply is a loss', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const client = new RequestClient(await cluster.store());
  t.deepEqual(await client.call({ deadlineMs: 20_000, send: async () => {}, poll: async () => ({ fault: lost }) }), {
    fault: lost,
  });
});

test('a request whose connection for replies breaks while it subscribes has its end from the record', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const store = await cluster.store();
  const another = store.connection.another.bind(store.connection);
  t.teardown(() => Object.assign(store.connection, { another }));
  Object.assign(store.connection, {
    another: async (...options: Parameters<typeof another>) => {
      const redis = await another(...options);
      redis.disconnect(true);
      return redis;
    },
  });
  const client = new RequestClient(store);
  const record = { status: 'available' };
  let polls = 0;
  const poll = async () => {
    polls += 1;
    return polls > 2 ? { record } : undefined;
  };
  t.deepEqual(await client.call({ deadlineMs: 60_000, send: async () => {}, poll }), { record });
});

test('the time that it takes to send a request is part of its time limit', async (t) => {
  const cluster = await Cluster.start();
  t.teardown(() => cluster.close());
  const client = new RequestClient(await cluster.store());
  let polls = 0;
  const poll = async () => {
    polls += 1;
    return undefined;
  };
  t.is(await client.call({ deadlineMs: 1000, send: () => pause(1100), poll }), undefined);
  t.is(polls, 1, 'the record is read once more at the deadline');
});
