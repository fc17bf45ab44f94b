import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { addressesOfShelf } from '../../lib/aoe/address.ts';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

/** A third machine in the storage network sends whatever AoE has, under its own and under forged addresses. */

let lab: Lab;
let storage: LabNode;
let host: LabNode;
let attacker: LabNode;
let hostAddress: string;
let attackerAddress: string;

const patienceMs = 120_000;

interface Volume {
  id: string;
  path: string;
  address: string;
  readOnly: boolean;
  hosts: readonly string[];
}

let attached: Volume;
let ofAttacker: Volume;
let deleted: Volume;
/** A volume that nobody has attached: it has no export. */
const unattached = 'e7.2';

test.before(async () => {
  lab = await Lab.create({ nodes: 3 });
  storage = lab.node(1);
  host = lab.node(2);
  attacker = lab.node(3);
  hostAddress = await addressOf(host);
  attackerAddress = await addressOf(attacker);
  await storage.sh(`vgcreate -y vg /dev/ubda
for n in 1 2 3 4; do lvcreate -y -L 16M -n v$n vg; dd if=/dev/urandom of=/dev/vg/v$n bs=1M count=16 2>/dev/null; done`);
  attached = volume(1, [hostAddress]);
  deleted = volume(3, [hostAddress]);
  ofAttacker = volume(4, [attackerAddress]);
  await onTarget(`for (const one of ${JSON.stringify([attached, deleted, ofAttacker])}) await target.ensureExport(one);
    await target.removeExport('${deleted.id}');`);
  await host.sh('aoe-flush -a'); // its kernel made a device of the volume that is deleted since
  await connect(host, attached.address);
});

test.after.always(async () => {
  await lab?.close();
});

function volume(slot: number, hosts: readonly string[]): Volume {
  return { id: randomUUID(), path: `/dev/vg/v${slot}`, address: `e7.${slot}`, readOnly: false, hosts };
}

async function addressOf(node: LabNode): Promise<string> {
  return node.sh('cat /sys/class/net/vec0/address');
}

async function onTarget(body: string): Promise<void> {
  const options = {
    interface: 'vec0',
    durability: 'sync',
    stateDir: '/var/lib/blockstore',
    numShellTries: 1,
    unfenced: false,
  };
  await storage.sh(
    `node --input-type=module-typescript -e '
    import { ChildProcesses } from "./lib/process.ts";
    import { silentLog } from "./lib/log.ts";
    import { AoeTarget } from "./lib/targets/aoe/target.ts";
    const target = new AoeTarget(${JSON.stringify(options)}, { processes: new ChildProcesses(), log: silentLog });
    await target.setup();
    ${body.replaceAll("'", '"')}
    await target.close();'`,
    { timeoutMs: patienceMs },
  );
}

async function connect(node: LabNode, address: string): Promise<void> {
  await until(
    async () => (await node.run(`aoe-discover; test -b /dev/etherd/${address}`)).status === 0,
    `${node.name} has ${address}`,
    patienceMs,
  );
}

type Request = Record<string, string | number>;

/** The answers of targets to frames that the attacker sends, one line each. */
async function send(requests: readonly Request[], to: Request): Promise<string[]> {
  const words = requests.map((request) =>
    Object.entries({ ...to, ...request })
      .map((pair) => pair.join('='))
      .join(),
  );
  const output = await attacker.sh(`perl test/support/aoe-frames.pl vec0 ${words.join(' ')}`, {
    timeoutMs: patienceMs,
  });
  return output.split('\n');
}

async function sum(path: string): Promise<string> {
  return storage.sh(`sha256sum <${path}`);
}

/** What an attack must not change: data, exports with their processes, and what the host reads. */
async function state(): Promise<string[]> {
  return [
    await storage.sh('for n in 1 2 3 4; do sha256sum </dev/vg/v$n; done'),
    await storage.sh('pgrep -a -x vblade'),
    await host.sh(`dd if=/dev/etherd/${attached.address} bs=1M iflag=direct 2>/dev/null | sha256sum`),
  ];
}

const bytes = (address: string) => address.replaceAll(':', '');
/** After the tag: buffers, firmware, sectors, version and subcommand, length, text. */
const query = { command: 1, data: '000000000010' };
const setConfig = { command: 1, data: '0000000000130001aa' };
const forceConfig = { command: 1, data: '0000000000140001aa' };
const readMask = { command: 2, data: '00000000' };
const reserveRead = { command: 3, data: '0000' };
/** ATA: flags, feature, sectors, command, address. */
const identify = { command: 0, data: '000001ec0000000000000000' };
const read = { command: 0, data: `000001240000000000000000` };
const write = { command: 0, data: `410001340000000000000000${'66'.repeat(512)}` };

function attacksBy(address: string): Request[] {
  const me = bytes(address);
  return [
    { command: 2, data: `000100010001${me}` },
    { command: 2, data: `000100010002${bytes(hostAddress)}` },
    { command: 3, data: `0101${me}` },
    { command: 3, data: `0201${me}` },
    { command: 3, data: '0200' },
    setConfig,
    forceConfig,
    readMask,
    reserveRead,
    { command: 4, data: '' },
  ];
}

const everywhere = { shelf: 65_535, slot: 255 };

function place(address: string): Request {
  const [shelf = '', slot = ''] = address.slice(1).split('.');
  return { shelf, slot };
}

async function assertUnchanged(t: ExecutionContext, before: readonly string[], what: string): Promise<void> {
  t.deepEqual(await state(), before, what);
}

test.serial('under its own and under strange addresses it gets no answer and changes nothing', async (t) => {
  t.timeout(20 * 60_000);
  const before = await state();
  for (const source of [attackerAddress, '52:54:00:de:ad:01']) {
    const attacks = [...attacksBy(source), query, identify, read, write];
    for (const to of [attached.address, unattached, deleted.address]) {
      const answers = await send(attacks, { ...place(to), source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        `${source} to ${to}: ${answers.join(' | ')}`,
      );
    }
    for (const to of [everywhere, { shelf: 7, slot: 255 }, { shelf: 65_535, slot: 1 }]) {
      const answers = await send([...attacksBy(source), identify, read, write], { ...to, source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        `${source} to all: ${answers.join(' | ')}`,
      );
    }
    const tagged = ['0', '9', '0+0', '0+9'].map((vlan) => Object.assign({ vlan }, write));
    t.true((await send(tagged, { ...place(attached.address), source })).every((answer) => answer === 'silence'));
  }
  await assertUnchanged(t, before, 'after all of it');
});

test.serial(
  'under the address of an attached host it changes nobody’s access, and reaches that host’s volume alone',
  async (t) => {
    t.timeout(20 * 60_000);
    const before = await state();
    const others = await Promise.all(['/dev/vg/v2', '/dev/vg/v3', '/dev/vg/v4'].map(sum));
    const source = hostAddress;
    for (const to of [place(attached.address), everywhere, place(ofAttacker.address)]) {
      const answers = await send(attacksBy(source), { ...to, source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        answers.join(' | '),
      );
    }
    for (const to of [unattached, deleted.address, ofAttacker.address]) {
      const answers = await send([query, read, write], { ...place(to), source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        `${to}: ${answers.join(' | ')}`,
      );
    }
    t.true((await send([write, read], { ...everywhere, source })).every((answer) => answer === 'silence'));
    await connect(host, attached.address); // its switch port is its own again
    await assertUnchanged(t, before, 'but for data that the host itself may change');
    // What no list of addresses can prevent, as documented:
    const answers = await send([write], { ...place(attached.address), source });
    t.regex(answers.join(' | '), /^answers: /);
    t.is(await storage.sh(`head -c 512 ${attached.path} | tr -d f | wc -c`), '0');
    t.deepEqual(await Promise.all(['/dev/vg/v2', '/dev/vg/v3', '/dev/vg/v4'].map(sum)), others);
  },
);

test.serial('each host sees the devices of its own volumes alone', async (t) => {
  await connect(attacker, ofAttacker.address);
  await connect(host, attached.address);
  t.is(await attacker.sh('ls /dev/etherd | grep ^e7'), ofAttacker.address);
  t.is(await host.sh('ls /dev/etherd | grep ^e7'), attached.address);
  t.is(
    await attacker.sh(`head -c 1048576 /dev/etherd/${ofAttacker.address} | sha256sum`),
    await storage.sh(`head -c 1048576 ${ofAttacker.path} | sha256sum`),
  );
});

test.serial('an address at which it answers is refused to exports', async (t) => {
  const responder = await attacker.start('responder', 'exec perl test/support/aoe-responder.pl vec0 slot 9');
  const victim = { ...volume(2, [hostAddress]), address: 'e9.1' };
  const refusal = await storage.run(`node --input-type=module-typescript -e '
    import { ChildProcesses } from "./lib/process.ts";
    import { silentLog } from "./lib/log.ts";
    import { AoeTarget } from "./lib/targets/aoe/target.ts";
    const options = { interface: "vec0", durability: "sync", stateDir: "/var/lib/blockstore", numShellTries: 1, unfenced: false };
    const target = new AoeTarget(options, { processes: new ChildProcesses(), log: silentLog });
    await target.setup();
    try { await target.ensureExport(${JSON.stringify(victim)}); } catch (error) { console.log(error.code, error.message); }
    await target.close();'`);
  t.regex(refusal.output, new RegExp(`^AddressInUse .*${attackerAddress}, answers at its address e9.1`));
  await responder.kill();
});

test.serial('of 2,295 answering targets all are found, or it is an error', async (t) => {
  t.timeout(10 * 60_000);
  const shelves = Array.from({ length: 9 }, (_, index) => 100 + index);
  const responder = await attacker.start(
    'many',
    `exec perl test/support/aoe-responder.pl vec0 all ${shelves.join(' ')}`,
  );
  const output = await storage.sh(
    `node --input-type=module-typescript -e '
    import { ChildProcesses } from "./lib/process.ts";
    import { Discovery } from "./lib/targets/aoe/discover.ts";
    const discovery = new Discovery(new ChildProcesses(), { interface: "vec0", quietMs: 3000, answerMs: 60000 });
    try {
      const found = await discovery.shelves(${JSON.stringify(shelves)});
      console.log(found.map(({ address }) => address).join());
    } catch (error) { console.log(error.code); }
    await discovery.close();'`,
    { timeoutMs: patienceMs },
  );
  const all = shelves.flatMap((shelf) => addressesOfShelf(shelf, 255)).join();
  t.true(output === all || output === 'DiscoveryIncomplete', output.slice(0, 300));
  t.log(output === all ? 'all were found' : output);
  await responder.kill();
});
