import test, { type ExecutionContext } from 'ava';
import { addressesOfShelf, shelfOf } from '../../lib/aoe/address.ts';
import { until } from '../support/until.ts';
import type { LabNode } from './node.ts';
import { runScript } from './script.ts';
import { StorageCluster, group } from './storage-cluster.ts';

/** A third machine in the storage network sends whatever AoE has, under its own and under forged addresses. */

let cluster: StorageCluster;
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
}

let attached: Volume;
/** It has an address, but no export. */
let unattached: Volume;
let ofAttacker: Volume;
/** The first one on a shelf of its own. */
let later: Volume;
let addressOfDeleted: string;

test.before(async () => {
  cluster = await StorageCluster.create({
    nodes: 3,
    storageNodes: 1,
    keepState: true,
    flags: { slots_per_shelf: '4' },
  });
  storage = cluster.node(1);
  host = cluster.node(2);
  attacker = cluster.node(3);
  hostAddress = await ethernetAddress(host);
  attackerAddress = await ethernetAddress(attacker);
  attached = await createVolume('attached');
  unattached = await createVolume('unattached');
  const deleted = await createVolume('deleted');
  ofAttacker = await createVolume('other');
  later = await createVolume('later');
  addressOfDeleted = deleted.address;
  await cluster.on(2).output('volume attach deleted --host-device');
  await cluster.on(2).output('volume attach attached --host-device');
  await cluster.on(3).output('volume attach other --host-device');
  await cluster.on(2).output('volume detach deleted');
  await cluster.on(2).output('volume delete deleted');
});

test.after.always(async () => {
  await cluster?.close();
});

async function createVolume(name: string): Promise<Volume> {
  const { id, address } = await cluster.on(1).volume(`create 0 --name ${name}`);
  const path = `/dev/${group}/volume-${id}`;
  await storage.sh(`dd if=/dev/urandom of=${path} bs=1M count=16 oflag=direct 2>/dev/null`);
  return { id, path, address };
}

async function ethernetAddress(node: LabNode): Promise<string> {
  return node.sh('cat /sys/class/net/vec0/address');
}

/** Waits until the kernel of a node has the device. */
async function connected(node: LabNode, address: string): Promise<void> {
  await until(
    async () => (await node.run(`aoe-discover; test -b /dev/etherd/${address}`)).status === 0,
    `${node.name} has ${address}`,
    patienceMs,
  );
}

type Request = Record<string, string | number>;

/** The answers of targets to frames that the attacker sends, one line each. */
async function send(requests: readonly Request[], to: Request): Promise<string[]> {
  const output = await attacker.sh(sender(requests, to), { timeoutMs: patienceMs });
  return output.split('\n');
}

/** The command that sends them. */
function sender(requests: readonly Request[], to: Request): string {
  const words = requests.map((request) =>
    Object.entries({ ...to, ...request })
      .map((pair) => pair.join('='))
      .join(),
  );
  return `perl test/support/aoe-frames.pl vec0 ${words.join(' ')}`;
}

async function sum(path: string): Promise<string> {
  return storage.sh(`sha256sum <${path}`);
}

/** What an attack must not change: data, exports with their processes, and what the host reads. */
async function state(): Promise<string[]> {
  return [
    await storage.sh(`for volume in /dev/${group}/volume-*; do sha256sum <$volume; done`),
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
    for (const to of [attached.address, unattached.address, addressOfDeleted]) {
      const answers = await send(attacks, { ...place(to), source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        `${source} to ${to}: ${answers.join(' | ')}`,
      );
    }
    for (const to of [everywhere, { shelf: shelfOf(attached.address), slot: 255 }, { shelf: 65_535, slot: 0 }]) {
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
    const others = async () => Promise.all([unattached, ofAttacker, later].map(({ path }) => sum(path)));
    const othersBefore = await others();
    const source = hostAddress;
    for (const to of [place(attached.address), everywhere, place(ofAttacker.address)]) {
      const answers = await send(attacksBy(source), { ...to, source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        answers.join(' | '),
      );
    }
    for (const to of [unattached.address, addressOfDeleted, ofAttacker.address]) {
      const answers = await send([query, read, write], { ...place(to), source });
      t.true(
        answers.every((answer) => answer === 'silence'),
        `${to}: ${answers.join(' | ')}`,
      );
    }
    t.true((await send([write, read], { ...everywhere, source })).every((answer) => answer === 'silence'));
    await connected(host, attached.address); // its switch port is its own again
    await assertUnchanged(t, before, 'but for data that the host itself may change');
    // What no list of addresses can prevent, as documented:
    const answers = await send([write], { ...place(attached.address), source });
    t.regex(answers.join(' | '), /^answers: /);
    t.is(await storage.sh(`head -c 512 ${attached.path} | tr -d f | wc -c`), '0');
    t.deepEqual(await others(), othersBefore);
  },
);

test.serial('each host sees the devices of its own volumes alone', async (t) => {
  await connected(attacker, ofAttacker.address);
  await connected(host, attached.address);
  t.is(await attacker.sh('ls /dev/etherd | grep ^e[0-9]'), ofAttacker.address);
  t.is(await host.sh('ls /dev/etherd | grep ^e[0-9]'), attached.address);
  t.is(
    await attacker.sh(`head -c 1048576 /dev/etherd/${ofAttacker.address} | sha256sum`),
    await storage.sh(`head -c 1048576 ${ofAttacker.path} | sha256sum`),
  );
});

test.serial('an attachment is refused while it answers at the address, and it is reported', async (t) => {
  t.timeout(10 * 60_000);
  const { address } = later;
  t.not(shelfOf(address), shelfOf(attached.address));
  const responder = await attacker.start(
    'responder',
    `exec perl test/support/aoe-responder.pl vec0 all ${shelfOf(address)}`,
  );
  t.true(await responder.says('ready', patienceMs));
  const refused = await cluster.on(2).run('volume attach later --host-device');
  t.deepEqual(refused.codes, ['AddressInUse'], JSON.stringify(refused));
  t.regex(refused.messages.join(), new RegExp(`${attackerAddress}, answers at its address ${address}`));
  t.like(await cluster.record(later.id), { status: 'error_attaching', attachStatus: 'detached' });
  const audit = await cluster.on(1).run('audit');
  t.not(audit.exitCode, 0);
  t.true(audit.output.includes(attackerAddress), audit.output);
  await responder.kill();
  await until(
    async () => (await cluster.on(2).run('volume attach later --host-device')).exitCode === 0,
    'it is attached once nobody else answers',
    patienceMs,
  );
});

test.serial('of 2,295 answering targets all are found, or it is an error', async (t) => {
  t.timeout(10 * 60_000);
  const shelves = Array.from({ length: 9 }, (_, index) => 100 + index);
  const responder = await attacker.start(
    'many',
    `exec perl test/support/aoe-responder.pl vec0 all ${shelves.join(' ')}`,
  );
  const output = await runScript(
    storage,
    "import { Discovery } from './lib/targets/aoe/discover.ts';",
    `const discovery = new Discovery(context.processes, { interface: 'vec0', quietMs: 3000, answerMs: 60000 });
    try {
      const found = await discovery.shelves(${JSON.stringify(shelves)});
      return found.map(({ address }) => address).join();
    } finally {
      await discovery.close();
    }`,
  );
  const all = JSON.stringify(shelves.flatMap((shelf) => addressesOfShelf(shelf, 255)).join());
  t.true(output === all || output.startsWith('DiscoveryIncomplete'), output.slice(0, 300));
  t.log(output === all ? 'all were found' : output);
  await responder.kill();
});

test.serial('while exports return after a power loss it gets no answer', async (t) => {
  t.timeout(20 * 60_000);
  const requests = [query, read].map((request) => Object.assign({ source: attackerAddress }, request));
  const answers = '/tmp/answers';
  const asking = await attacker.start(
    'asking',
    `echo asking; while :; do ${sender(requests, place(attached.address))} >>${answers}; done`,
  );
  t.true(await asking.says('asking', patienceMs));
  await storage.powerOff();
  await cluster.bootAgain(1);
  await cluster.startDaemon(1);
  await connected(host, attached.address);
  await host.sh(`head -c 512 /dev/etherd/${attached.address} >/dev/null`, { timeoutMs: patienceMs });
  const count = async () => Number(await attacker.sh(`wc -l <${answers}`));
  const before = await count();
  await until(async () => (await count()) > before + requests.length, 'it has asked once more', patienceMs);
  await asking.kill();
  t.is(await attacker.sh(`sort -u ${answers}`), 'silence');
});
