import path from 'node:path';
import { ChildProcesses, type RunOptions, type RunResult } from '../../../../lib/process.ts';

process.env['PATH'] = `${path.join(import.meta.dirname, 'fake-lvm')}:${process.env['PATH'] ?? ''}`;

/** The real processes, with the fake lvm first on PATH, and no need of root for it. Counts the shells that were started. */
export class FakePath extends ChildProcesses {
  residents: number[] = [];

  override run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return super.run(command, args, { ...options, asRoot: false });
  }

  override resident(command: string, args: readonly string[], env: Record<string, string>) {
    const child = super.resident(command, args, env);
    this.residents.push(child.pid ?? 0);
    return child;
  }
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
