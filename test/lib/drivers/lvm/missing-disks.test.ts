import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { OpenGroup } from '../../../../lib/drivers/lvm/missing-disks.ts';
import { errors } from '../../../../lib/errors.ts';
import { silentLog } from '../../../../lib/log.ts';
import type { RunOptions, RunResult } from '../../../../lib/process.ts';
import { FakePath, isRunning } from './fake-path.ts';

/** A fake lvm that finds a group on one disk, and its shell. While `isHeld`, a search for disks waits. */
class WithGroup extends FakePath {
  searches = 0;
  private release: (() => void) | undefined;
  private held: Promise<void> | undefined;

  hold(): () => void {
    this.held = new Promise((resolve) => (this.release = resolve));
    return () => this.release?.();
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    if (command !== 'lvm') return super.run(command, args, options);
    if (args[0] === 'pvs') {
      this.searches += 1;
      await this.held;
    }
    const disk = { pv_name: '/dev/sdx', pv_uuid: 'p', pv_missing: '', pv_duplicate: '', vg_name: 'g', vg_uuid: 'v' };
    const group = { vg_exported: '', vg_systemid: '', vg_lock_type: '' };
    const report = { report: [{ pv: [{ ...disk, ...group }] }], log: [] };
    return { stdout: JSON.stringify(report, undefined, 2), stderr: '' };
  }
}

test('the close of a group waits for an opening that is under way, and none begins after it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-open-group-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const processes = new WithGroup();
  const options = { volumeGroup: 'g', storageDev: [], storageCreate: false, directory };
  const group = new OpenGroup(options, { processes, log: silentLog });
  await group.open();
  const release = processes.hold();
  const incomplete = async () => {
    throw errors.groupIncomplete('g', 'p');
  };
  const work = group.reopening(incomplete).catch(() => {});
  const closing = group.close();
  release();
  await Promise.all([work, closing]);
  t.deepEqual(processes.residents.filter(isRunning), []);
  t.throws(() => group.shell, { code: 'LvmInterrupted' });

  const { searches } = processes;
  await t.throwsAsync(group.reopening(incomplete), { code: 'LvmInterrupted' });
  t.is(processes.searches, searches);
  await group.open();
  t.notThrows(() => group.shell, 'it can be set up again');
  await group.close();
  t.deepEqual(processes.residents.filter(isRunning), []);
});
