import type { DriverContext } from '../driver.ts';
import { lvmError } from './failures.ts';
import type { LvmAnswer, LvmCommandOptions } from './lvm.ts';
import type { OpenGroup } from './missing-disks.ts';

/** Runs the commands that change the metadata of the volume group, and copies the metadata for vgcfgrestore. */
export class Changes {
  private readonly group: string;
  private readonly openGroup: OpenGroup;
  private readonly context: DriverContext;
  /** Whether the metadata changed since its last copy, which an earlier run may have missed. */
  private changed = true;

  constructor(group: string, openGroup: OpenGroup, context: DriverContext) {
    this.group = group;
    this.openGroup = openGroup;
    this.context = context;
  }

  async command(args: readonly string[], options?: LvmCommandOptions): Promise<LvmAnswer> {
    this.changed = true;
    try {
      return await this.openGroup.shell.command(args, options);
    } finally {
      this.changed = true; // a copy may have been made while it waited
    }
  }

  /** Throws the error of a command that failed. */
  async carryOut(args: readonly string[], options?: LvmCommandOptions): Promise<void> {
    const answer = await this.command(args, options);
    if (answer.status !== 0) throw lvmError(args, answer, this.group);
  }

  /** At most one copy per read of the free space instead of one per change. */
  async backUp(): Promise<void> {
    if (!this.changed) return;
    this.changed = false;
    const answer = await this.openGroup.shell.command(['vgcfgbackup', this.group], { urgent: true });
    if (answer.status === 0) return;
    this.changed = true;
    this.context.log.warn('the metadata of the volume group could not be copied', { group: this.group });
  }
}
