import test from 'ava';
import { AddressPool, type AddressPoolOptions } from '../../../lib/aoe/address-pool.ts';
import { shelfOf } from '../../../lib/aoe/address.ts';

interface Wire {
  pool: AddressPool;
  /** Other machines by the addresses at which they answer. */
  others: Map<string, string>;
  /** Shelves asked about, a list for each look. */
  looks: (readonly number[])[];
  claims: number[];
  clock: { now: number };
}

/** A pool with shelves of two slots, and the lowest ones of `free` to claim. */
function make({ free = [1, 2, 3], ...given }: Partial<AddressPoolOptions> & { free?: number[] } = {}): Wire {
  const looks: (readonly number[])[] = [];
  const claims: number[] = [];
  const wire = { others: new Map<string, string>(), looks, claims };
  const clock = { now: 1_000_000 };
  const pool = new AddressPool({
    node: 'n1',
    slotsPerShelf: 2,
    quarantineMs: 600_000,
    claim: async (from) => {
      const shelf = free.find((one) => one >= from && !wire.claims.includes(one));
      if (shelf !== undefined) wire.claims.push(shelf);
      return shelf;
    },
    release: async (shelf) => {
      wire.claims.splice(wire.claims.indexOf(shelf), 1);
    },
    foreign: async (shelves) => {
      wire.looks.push(shelves);
      return new Map([...wire.others].filter(([address]) => shelves.includes(shelfOf(address))));
    },
    now: () => clock.now,
    ...given,
  });
  return { pool, clock, ...wire };
}

test('addresses are allocated from the lowest slot up, and a volume keeps its own', async (t) => {
  const { pool, claims } = make();
  t.deepEqual(
    [await pool.allocate('a'), await pool.allocate('b'), await pool.allocate('c'), await pool.allocate('a')],
    ['e1.0', 'e1.1', 'e2.0', 'e1.0'],
  );
  t.deepEqual(claims, [1, 2]);
  t.deepEqual(pool.ownShelves, [1, 2]);
  t.deepEqual(pool.used, ['e1.0', 'e1.1', 'e2.0']);
  t.is(pool.userOf('e2.0'), 'c');
  t.is(pool.addressOf('b'), 'e1.1');
});

test('many that wait for an address get different ones, with one claim at a time', async (t) => {
  const { pool, claims } = make({ slotsPerShelf: 16, free: [5, 6, 7] });
  const addresses = await Promise.all(Array.from({ length: 40 }, (_, index) => pool.allocate(`v${index}`)));
  t.is(new Set(addresses).size, 40);
  t.deepEqual(claims, [5, 6, 7]);
});

test('many that wait for an address get one while there are free shelves, however few slots these have', async (t) => {
  const { pool, claims } = make({ slotsPerShelf: 1, free: Array.from({ length: 9 }, (_, index) => index) });
  const addresses = await Promise.all(Array.from({ length: 9 }, (_, index) => pool.allocate(`v${index}`)));
  t.is(new Set(addresses).size, 9);
  t.is(claims.length, 9);
});

test('a full pool without a further shelf refuses, and takes nothing', async (t) => {
  const { pool } = make({ free: [1] });
  await pool.allocate('a');
  await pool.allocate('b');
  await t.throwsAsync(pool.allocate('c'), { code: 'NoMoreVolumes', message: /node n1/ });
  t.deepEqual(pool.used, ['e1.0', 'e1.1']);
  t.is(pool.addressOf('c'), undefined);
});

test('a freed address is quarantined for ten minutes', async (t) => {
  const { pool, clock } = make({ free: [1] });
  await pool.allocate('a');
  await pool.allocate('b');
  pool.release('a');
  await t.throwsAsync(pool.allocate('c'), { code: 'NoMoreVolumes' });
  clock.now += 599_999;
  await t.throwsAsync(pool.allocate('c'), { code: 'NoMoreVolumes' });
  clock.now += 1;
  t.is(await pool.allocate('c'), 'e1.0');
});

test('an address that Redis has in quarantine rests from the time of its release', async (t) => {
  const { pool, clock } = make({ free: [] });
  pool.own(1);
  pool.rest('e1.0', clock.now - 599_000);
  t.is(await pool.allocate('a'), 'e1.1');
  clock.now += 1000;
  t.is(await pool.allocate('b'), 'e1.0');
});

test('an earlier release of an address, of an older copy of Redis, does not shorten its quarantine', async (t) => {
  const { pool, clock } = make({ free: [1] });
  await pool.allocate('a');
  await pool.allocate('b');
  pool.release('a');
  pool.rest('e1.0', clock.now - 600_000);
  await t.throwsAsync(pool.allocate('c'), { code: 'NoMoreVolumes' });
});

test('labels on storage and records fill the pool: their addresses are given to no other volume', async (t) => {
  const { pool } = make({ free: [] });
  pool.own(1);
  t.is(pool.use('labelled', 'e1.0'), undefined);
  t.is(pool.use('labelled', 'e1.0'), undefined, 'its record says the same');
  t.is(pool.use('other', 'e1.0'), 'labelled', 'the second one learns who has it');
  t.is(await pool.allocate('other'), 'e1.1');
  t.is(pool.use('labelled', 'e9.9'), undefined, 'its record has another address than its label');
  t.is(await pool.allocate('third'), 'e1.0');
  t.is(pool.use('odd', 'not an address'), undefined);
  t.is(pool.addressOf('odd'), undefined);
});

test('a label on storage keeps no volume from the address of its record', async (t) => {
  const { pool } = make({ free: [] });
  pool.own(1);
  pool.label('labelled', 'e1.0');
  pool.label('second', 'e1.0');
  t.is(await pool.allocate('third'), 'e1.1', 'nobody else gets it');
  t.is(pool.use('recorded', 'e1.0'), undefined);
  t.is(pool.addressOf('labelled'), undefined);
  t.is(pool.use('labelled', 'e1.0'), 'recorded');
  pool.label('labelled', 'e1.2');
  t.is(pool.use('labelled', 'e1.2'), undefined, 'its record says the same');
  t.is(pool.use('other', 'e1.2'), 'labelled');
  pool.label('labelled', 'e1.3');
  t.is(pool.addressOf('labelled'), 'e1.2', 'a record counts more than a label');
});

test('an address at which another machine answers is given to nobody until it is silent and has rested', async (t) => {
  const { pool, others, clock } = make({ free: [1] });
  others.set('e1.0', '52:54:00:00:00:09');
  t.is(await pool.allocate('a'), 'e1.1');
  others.clear();
  for (let look = 0; look < 2; look += 1) await pool.observe();
  clock.now += 600_000;
  await t.throwsAsync(pool.allocate('b'), { code: 'NoMoreVolumes' }, 'it may not have been heard');
  await pool.observe();
  t.is(await pool.allocate('b'), 'e1.0');
});

test('an address at which another machine answered rests from its last answer on', async (t) => {
  const { pool, others, clock } = make({ free: [1] });
  others.set('e1.0', '52:54:00:00:00:09');
  t.is(await pool.allocate('a'), 'e1.1');
  clock.now += 300_000;
  await pool.observe();
  others.clear();
  for (let look = 0; look < 3; look += 1) await pool.observe();
  t.deepEqual(pool.quarantined, [['e1.0', 1_300_000]]);
  clock.now += 599_999;
  await t.throwsAsync(pool.allocate('b'), { code: 'NoMoreVolumes' }, 'hosts may have devices of it');
  clock.now += 1;
  t.is(await pool.allocate('b'), 'e1.0');
});

test('an address of another node is observed as long as a volume here has it', async (t) => {
  const { pool, others, looks } = make({ free: [] });
  pool.borrow('a', 'e7.1');
  others.set('e7.0', 'its lender').set('e7.1', '52:54:00:00:00:09');
  await pool.observe();
  t.deepEqual(pool.answeredElsewhere, new Map([['e7.1', '52:54:00:00:00:09']]));
  pool.release('a');
  await pool.observe();
  t.deepEqual(pool.answeredElsewhere, new Map());
  t.deepEqual(looks, [[7]]);
});

test('shelves of an earlier start are examined before a first address is given out', async (t) => {
  const { pool, others, looks } = make({ free: [] });
  others.set('e1.0', '52:54:00:00:00:09');
  pool.own(1);
  t.is(await pool.allocate('a'), 'e1.1');
  await t.throwsAsync(pool.allocate('b'), { code: 'NoMoreVolumes' });
  t.deepEqual(looks, [[1]], 'once');
});

test('while the wire cannot be examined no address is given out', async (t) => {
  let fails = true;
  const { pool } = make({
    foreign: async () => {
      if (fails) throw new Error('frames were lost');
      return new Map();
    },
  });
  pool.own(1);
  await t.throwsAsync(pool.allocate('a'), { message: 'frames were lost' });
  fails = false;
  t.is(await pool.allocate('a'), 'e1.0');
});

test('a claimed shelf whose examination fails is examined again, and no further shelf is claimed', async (t) => {
  let failures = 3;
  const looks: (readonly number[])[] = [];
  const { pool, claims } = make({
    foreign: async (shelves) => {
      looks.push(shelves);
      failures -= 1;
      if (failures >= 0) throw new Error('frames were lost');
      return new Map();
    },
  });
  for (let tries = 0; tries < 3; tries += 1) await t.throwsAsync(pool.allocate('a'), { message: 'frames were lost' });
  t.deepEqual(claims, [1]);
  t.deepEqual(pool.ownShelves, []);
  t.is(await pool.allocate('a'), 'e1.0');
  t.deepEqual(claims, [1]);
  t.deepEqual(looks, [[1], [1], [1], [1]]);
});

test('no address of a claimed shelf is allocated before the shelf was examined', async (t) => {
  const looked = Promise.withResolvers<ReadonlyMap<string, string>>();
  const { pool } = make({ free: [1], foreign: () => looked.promise });
  const both = Promise.all([pool.allocate('a'), pool.allocate('b').catch((error: unknown) => error)]);
  const later = new Promise((resolve) => void setImmediate(resolve)).then(() => pool.allocate('c'));
  const refused = t.throwsAsync(later, { code: 'NoMoreVolumes' });
  await new Promise((resolve) => void setTimeout(resolve, 20));
  t.deepEqual(pool.used, []);
  looked.resolve(new Map());
  t.deepEqual(await both, ['e1.0', 'e1.1']);
  await refused;
});

test('another machine at the address of a volume here is reported', async (t) => {
  const { pool, others } = make();
  const address = await pool.allocate('a');
  await pool.observe();
  t.deepEqual(pool.answeredElsewhere, new Map());
  others.set(address, '52:54:00:00:00:09').set('e1.1', '52:54:00:00:00:0a');
  await pool.observe();
  t.deepEqual(pool.answeredElsewhere, new Map([[address, '52:54:00:00:00:09']]));
});

test('a free shelf at which somebody answers is passed over: its owner may only be lost', async (t) => {
  const { pool, others, claims } = make();
  others.set('e1.0', '52:54:00:00:00:09').set('e2.1', '52:54:00:00:00:0a');
  t.is(await pool.allocate('a'), 'e3.0');
  t.deepEqual(claims, [3]);
});

test('a shelf at which somebody answers is claimed where no other is left', async (t) => {
  const { pool, others, claims } = make();
  others.set('e1.0', '52:54:00:00:00:09').set('e2.0', '52:54:00:00:00:09').set('e3.0', '52:54:00:00:00:09');
  t.is(await pool.allocate('a'), 'e1.1');
  t.is(await pool.allocate('b'), 'e2.1');
  t.deepEqual(claims, [1, 2]);
});

test('one request claims at most four shelves on which every slot is another machine’s', async (t) => {
  const { pool, others, claims } = make({ free: [1, 2, 3, 4, 5, 6, 7] });
  for (const shelf of [1, 2, 3, 4, 5, 6, 7]) {
    for (const slot of [0, 1]) others.set(`e${shelf}.${slot}`, '52:54:00:00:00:09');
  }
  await t.throwsAsync(pool.allocate('a'), { code: 'NoMoreVolumes' });
  t.deepEqual(claims, [1, 2, 3, 4]);
});

test('one request passes over at most 64 shelves at which others answer', async (t) => {
  const free = Array.from({ length: 70 }, (_, index) => index + 1);
  const { pool, others, looks } = make({ free });
  for (const shelf of free) others.set(`e${shelf}.0`, '52:54:00:00:00:09');
  t.is(await pool.allocate('a'), 'e1.1');
  t.is(looks.length, 65);
});
