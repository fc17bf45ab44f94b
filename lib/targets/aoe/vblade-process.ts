import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { readIfExistsSync } from '../../files.ts';
import { processStatus } from '../../process-status.ts';
import { wholeList } from './arguments.ts';

/** A running vblade. Process id and start time identify a process permanently: ids are reused, pairs are not. */
export interface Vblade {
  pid: number;
  /** In clock ticks since boot. */
  startTime: number;
  /** Arguments after the command's name. */
  args: readonly string[];
}

/** Returns the vblade with that process id; undefined when it has ended or is not (yet) a vblade. */
export function readVblade(pid: number): Vblade | undefined {
  const status = processStatus(pid);
  if (status === undefined || status.name !== 'vblade') return undefined;
  const line = readIfExistsSync(`/proc/${pid}/cmdline`);
  if (!line) return undefined;
  const [command, ...args] = line.split('\0').slice(0, -1);
  if (command === undefined || basename(command) !== 'vblade') return undefined;
  return { pid, startTime: status.startTime, args: wholeList(args) };
}

/** Returns every vblade on this machine. Reads all of /proc: too slow to call per volume. */
export async function findVblades(): Promise<Vblade[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  return pids.map(readVblade).filter((vblade) => vblade !== undefined);
}

export function isRunning(vblade: Vblade): boolean {
  return processStatus(vblade.pid)?.startTime === vblade.startTime;
}

/** Whether a signal has stopped it: it keeps its socket and answers nothing. */
export function isStopped(vblade: Vblade): boolean {
  const status = processStatus(vblade.pid);
  return status?.startTime === vblade.startTime && status.state === 'T';
}

/** Whether a process has that id, except a zombie, which has closed its files already. */
export function isAlive(pid: number): boolean {
  return processStatus(pid) !== undefined;
}

export function sameArguments(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((argument, index) => argument === other[index]);
}
