import test, { type ExecutionContext } from 'ava';
import { addressesOfShelf } from '../../../../lib/aoe/address.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { Discovery, type DiscoveryOptions, parseAnswers } from '../../../../lib/targets/aoe/discover.ts';
import { cannotExport } from './place.ts';
import { Veth, startPerl } from './veth.ts';

const real = cannotExport === undefined ? test : test.skip;
const responder = new URL('../../../support/aoe-responder.pl', import.meta.url);

async function discoveryFor(t: ExecutionContext, options: DiscoveryOptions): Promise<Discovery> {
  const discovery = new Discovery(new ChildProcesses(), options);
  t.teardown(() => discovery.close());
  return discovery;
}

real('discovery finds all of 2,295 targets', async (t) => {
  const veth = await Veth.create(t);
  const shelves = Array.from({ length: 9 }, (_, index) => 100 + index);
  await startPerl(t, responder, veth.far, 'all', ...shelves.map(String));
  const discovery = await discoveryFor(t, { interface: veth.near, quietMs: 1000 });
  const host = await veth.address(veth.far);
  const expected = shelves.flatMap((shelf) => addressesOfShelf(shelf, 255).map((address) => ({ address, host })));
  t.deepEqual(await discovery.shelves([...shelves, 42]), expected);
});

real('unrequested replies are ignored', async (t) => {
  const veth = await Veth.create(t);
  await startPerl(t, responder, veth.far, 'forged', '7');
  const discovery = await discoveryFor(t, { interface: veth.near, quietMs: 500 });
  const host = await veth.address(veth.far);
  t.deepEqual(await discovery.shelves([7]), [{ address: 'e7.1', host }]);
  t.deepEqual(await discovery.shelves([8]), []);
  t.deepEqual(await discovery.shelves([]), []);
});

real('lost replies are an error after each shelf was queried separately', async (t) => {
  const veth = await Veth.create(t);
  await startPerl(t, responder, veth.far, 'all', '1', '2', '3');
  // Each answer counts for some 800 bytes: the buffer holds those of one shelf, and not those of three.
  const sufficient = await discoveryFor(t, { interface: veth.near, quietMs: 1000, receiveBufferBytes: 2 ** 18 });
  t.is((await sufficient.shelves([1, 2, 3])).length, 765);
  const tight = await discoveryFor(t, { interface: veth.near, quietMs: 100, receiveBufferBytes: 4096 });
  const error = await t.throwsAsync(tight.shelves([1, 2, 3]), { code: 'DiscoveryIncomplete' });
  t.regex(error?.message ?? '', /^not every AoE answer on network interface \w+ was received: \d+ frames were lost$/);
});

real('endless replies are an error', async (t) => {
  const veth = await Veth.create(t);
  await startPerl(t, responder, veth.far, 'endless', '7');
  const discovery = await discoveryFor(t, { interface: veth.near });
  await t.throwsAsync(discovery.shelves([7]), { code: 'DiscoveryIncomplete', message: /answers do not end/ });
});

real('queries for single addresses run concurrently', async (t) => {
  const veth = await Veth.create(t);
  await startPerl(t, responder, veth.far, 'slot', '7');
  const discovery = await discoveryFor(t, { interface: veth.near });
  const host = await veth.address(veth.far);
  const addresses = addressesOfShelf(7, 50);
  const began = performance.now();
  const answers = await Promise.all(addresses.map((address) => discovery.address(address, 1000)));
  t.deepEqual(
    answers.flat(),
    addresses.map((address) => ({ address, host })),
  );
  t.true(performance.now() - began < 20_000, 'one after the other takes 50 s');
  t.deepEqual(await discovery.address('e8.1', 50), []);
});

real('a missing interface and one that is down are named', async (t) => {
  const veth = await Veth.create(t, { up: false });
  const down = await discoveryFor(t, { interface: veth.near });
  await t.throwsAsync(down.shelves([1]), { code: 'InterfaceDown', message: `network interface ${veth.near} is down` });
  const absent = await discoveryFor(t, { interface: 'eth99' });
  await t.throwsAsync(absent.shelves([1]), { code: 'InterfaceDown', message: /eth99 does not exist$/ });
});

test('replies are sorted by address', (t) => {
  t.deepEqual(
    parseAnswers(['seen 70 2 52:54:00:77:00:01', 'seen 70 10 52:54:00:77:00:01', 'seen 7 254 52:54:00:77:00:02']),
    [
      { address: 'e7.254', host: '52:54:00:77:00:02' },
      { address: 'e70.2', host: '52:54:00:77:00:01' },
      { address: 'e70.10', host: '52:54:00:77:00:01' },
    ],
  );
});

test('an invalid line is an error', (t) => {
  for (const line of [
    'hello',
    'seen 7 1',
    'seen 7 1 52:54:00:77:00',
    'seen -7 1 52:54:00:77:00:01',
    'seen 7 1 52:54:00:77:00:01 x',
  ])
    t.throws(() => parseAnswers([line]), { code: 'AnswerUnreadable' });
});
