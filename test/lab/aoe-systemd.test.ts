import { randomUUID } from 'node:crypto';
import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

let lab: Lab;
let node: LabNode;

const volume = { id: randomUUID(), path: '/dev/vg/v1', address: 'e7.1', readOnly: false, hosts: [] };
const unit = `blockstore-vblade@${volume.id}.service`;

test.before(async () => {
  lab = await Lab.create({ systemd: true });
  node = lab.node(1);
  await node.sh(`vgcreate -y vg /dev/ubda && lvcreate -y -L 64M -n v1 vg
    cp etc/blockstore-vblade@.service /etc/systemd/system/ && systemctl daemon-reload`);
});

test.after.always(async () => {
  await lab?.close();
});

/** Runs TypeScript on the node with a target configured as in a daemon; prints its result as JSON. */
async function onTarget(body: string, options: Record<string, unknown> = {}): Promise<string> {
  const all = {
    interface: 'vec0',
    durability: 'sync',
    stateDir: '/var/lib/blockstore',
    numShellTries: 1,
    unfenced: false,
    ...options,
  };
  const text = `
    import { ChildProcesses } from './lib/process.ts';
    import { silentLog } from './lib/log.ts';
    import { AoeTarget } from './lib/targets/aoe/target.ts';
    const target = new AoeTarget(${JSON.stringify(all)}, { processes: new ChildProcesses(), log: silentLog });
    const volume = ${JSON.stringify(volume)};
    try {
      await target.setup();
      ${body}
    } catch (error) {
      console.log(error.code + ': ' + error.message);
    } finally {
      await target.close();
    }`;
  return node.sh(`node --input-type=module-typescript -e '${text.replaceAll("'", String.raw`'\''`)}'`);
}

/** Returns process id and arguments of every vblade. */
async function vblades(): Promise<string[]> {
  const { output } = await node.run('pgrep -a -x vblade');
  return output.split('\n').filter((line) => line !== '');
}

async function oneVblade(): Promise<{ pid: string; args: string }> {
  const [line = '', ...others] = await vblades();
  if (line === '' || others.length > 0) throw new Error(`not one vblade: ${[line, ...others].join(', ')}`);
  const [pid = '', , ...args] = line.split(' ');
  return { pid, args: args.join(' ') };
}

test.serial('an export is an instance of the template unit, started once', async (t) => {
  t.is(await onTarget('await Promise.all([1, 2, 3].map(() => target.ensureExport(volume)));'), '');
  t.is(await node.sh(`systemctl is-active ${unit}`), 'active');
  t.is((await oneVblade()).args, '-d -s 7 1 vec0 /dev/vg/v1');
});

test.serial('a later daemon does not touch the export, and systemd restarts it when it dies', async (t) => {
  const { pid } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, pid);
  await node.sh(`kill -9 ${pid}`);
  await until(async () => (await oneVblade()).pid !== pid, 'systemd starts another vblade');
  const { pid: next } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, next);
});

test.serial('changed options replace the export', async (t) => {
  t.is(await onTarget('await target.ensureExport({ ...volume, readOnly: true });', { durability: 'cached' }), '');
  t.is((await oneVblade()).args, '-r 7 1 vec0 /dev/vg/v1');
});

test.serial('a removed export leaves no files', async (t) => {
  t.is(await onTarget('await target.removeExport(volume.id); await target.removeExport(volume.id);'), '');
  t.deepEqual(await vblades(), []);
  t.is(await node.sh('ls /var/lib/blockstore/exports'), '');
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive');
});

test.serial('an export from before the unit existed is kept, replaced when it changes, and removed', async (t) => {
  t.is(await onTarget('await target.ensureExport(volume);', { supervisor: 'detached' }), '');
  const { pid } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, pid);
  t.is(await onTarget('await target.ensureExport({ ...volume, readOnly: true });'), '');
  t.is((await oneVblade()).args, '-d -s -r 7 1 vec0 /dev/vg/v1');
  t.is(await node.sh(`systemctl is-active ${unit}`), 'active');
  t.is(await onTarget('await target.removeExport(volume.id);'), '');
  t.deepEqual(await vblades(), []);
});

test.serial('an export of missing storage fails with the reason of vblade', async (t) => {
  t.is(
    await onTarget("await target.ensureExport({ ...volume, path: '/dev/vg/nothing' });"),
    `ExportFailed: could not export volume ${volume.id}: open: No such file or directory`,
  );
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive', 'systemd does not try on');
  t.is(await onTarget('await target.removeExport(volume.id);'), '');
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive');
});
