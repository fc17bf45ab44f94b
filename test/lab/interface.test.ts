import { randomUUID } from 'node:crypto';
import test from 'ava';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

/** Exports under systemd, and on a VLAN, whose interface changes below them. */

let lab: Lab;
let node: LabNode;

test.before(async () => {
  lab = await Lab.create({ systemd: true });
  node = lab.node(1);
  await node.sh(`vgcreate -y vg /dev/ubda && lvcreate -y -L 64M -n v1 vg && modprobe 8021q && modprobe bonding && test -f /sys/class/net/bonding_masters
    cp etc/blockstore-vblade*.service /etc/systemd/system/ && systemctl daemon-reload`);
});

test.after.always(async () => {
  await lab?.close();
});

/**
 * Runs TypeScript with a target of an interface whose one volume is exported: `ip` changes interfaces, `pid` is its vblade or
 * undefined, `problems` are the messages, `until` waits and returns how long that took in ms. Prints the result as JSON.
 */
async function withExport(networkInterface: string, body: string): Promise<string> {
  const options = {
    interface: networkInterface,
    durability: 'sync',
    stateDir: '/var/lib/blockstore',
    numShellTries: 1,
    unfiltered: false,
  };
  const volume = { id: randomUUID(), path: '/dev/vg/v1', address: 'e7.1', readOnly: false, hosts: [] };
  const text = `
    import { execFileSync } from 'node:child_process';
    import { ChildProcesses } from './lib/process.ts';
    import { silentLog } from './lib/log.ts';
    import { pollUntil } from './lib/concurrency.ts';
    import { findVblades } from './lib/targets/aoe/vblade-process.ts';
    import { AoeTarget } from './lib/targets/aoe/target.ts';
    const ip = (words) => execFileSync('ip', words.split(' '));
    const pid = async () => (await findVblades())[0]?.pid;
    const problems = () => target.problems().map(({ error }) => error.message);
    const until = async (condition, what) => {
      const began = performance.now();
      if (!(await pollUntil(condition, { deadlineMs: 120_000 }))) throw new Error('not in time: ' + what);
      return Math.round(performance.now() - began);
    };
    const target = new AoeTarget(${JSON.stringify(options)}, { processes: new ChildProcesses(), log: silentLog });
    try {
      await target.setup();
      await target.ensureExport(${JSON.stringify(volume)});
      const before = await pid();
      ${body}
    } finally {
      await target.removeExport('${volume.id}');
      await target.close();
    }`;
  return node.sh(`node --input-type=module-typescript -e '${text.replaceAll("'", String.raw`'\''`)}'`, {
    timeoutMs: 400_000,
  });
}

test.serial('under systemd an export is started anew when its interface gets another address or MTU', async (t) => {
  t.timeout(15 * 60_000);
  const output = await withExport(
    'vec0',
    `let last = before;
    for (const change of [['mtu 1280'], ['down', 'address 52:54:00:77:66:55', 'up']]) {
      for (const words of change) ip('link set vec0 ' + words);
      await until(async () => ![last, undefined].includes(await pid()), change);
      last = await pid();
    }
    await until(() => problems().length === 0, 'no problem');
    console.log(JSON.stringify(target.endpoint));`,
  );
  t.is(JSON.parse(output), '52:54:00:77:66:55');
});

test.serial('exports of a VLAN end and return with the interface below it, and with the VLAN itself', async (t) => {
  t.timeout(15 * 60_000);
  await node.sh('ip link add link vec0 name vec0.5 type vlan id 5 && ip link set vec0.5 up');
  const output = await withExport(
    'vec0.5',
    `const returns = [];
    // One that is removed is down for a moment before.
    for (const [end, problem, begin] of [
      ['link set vec0 down', 'network interface vec0.5 is down', ['link set vec0 up']],
      [
        'link del vec0.5',
        'network interface vec0.5 does not exist',
        ['link add link vec0 name vec0.5 type vlan id 5', 'link set vec0.5 up'],
      ],
    ]) {
      ip(end);
      await until(async () => (await pid()) === undefined && problems().join() === problem, end);
      for (const words of begin) ip(words);
      returns.push(await until(async () => (await pid()) !== undefined, begin));
      await until(() => problems().length === 0, 'no problem');
    }
    console.log(JSON.stringify(returns));`,
  );
  const returns: number[] = JSON.parse(output);
  t.is(returns.length, 2);
  t.log(`back after ${returns.join(' and ')} ms`);
});

test.serial('a port of a bond or team cannot be used by hosts, an interface in a VRF can', async (t) => {
  t.timeout(15 * 60_000);
  await node.sh(`for module in dummy team vrf; do modprobe $module; done
    ip link add bond9 type bond && ip link add team9 type team && ip link add vrf9 type vrf table 10
    for master in bond9 team9 vrf9; do
      ip link add of-$master type dummy && ip link set of-$master master $master && ip link set of-$master up
    done`);
  const script = `import { checkInterface } from './lib/targets/aoe/interface.ts';
    const names = ['bond9', 'team9', 'vrf9'].map((master) => 'of-' + master);
    console.log(JSON.stringify(names.map((name) => checkInterface(name)?.message ?? '')));`;
  const output = await node.sh(`node --input-type=module-typescript -e "${script}"`);
  t.deepEqual(JSON.parse(output), [
    'network interface of-bond9 is a port of bond9',
    'network interface of-team9 is a port of team9',
    '',
  ]);
});
