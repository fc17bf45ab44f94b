import { pollUntil } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import { errorCode } from '../../files.ts';
import type { Processes } from '../../process.ts';
import { type Vblade, isRunning } from './vblade-process.ts';

const politeMs = 2000;
const forcedMs = 5000;

/** Ends a vblade; resolves when it has certainly ended and closed its device. Throws ExportStays. */
export async function endVblade(id: string, vblade: Vblade, processes: Processes): Promise<void> {
  await signal(vblade, 'SIGTERM', processes);
  if (await isGoneWithin(vblade, politeMs)) return;
  await signal(vblade, 'SIGKILL', processes);
  if (await isGoneWithin(vblade, forcedMs)) return;
  throw errors.exportStays(id, vblade.pid);
}

async function signal(vblade: Vblade, name: 'SIGTERM' | 'SIGKILL', processes: Processes): Promise<void> {
  if (!isRunning(vblade)) return;
  try {
    process.kill(vblade.pid, name);
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ESRCH') return;
    if (code !== 'EPERM') throw error;
    try {
      await processes.run('kill', ['-s', name.slice(3), String(vblade.pid)], { asRoot: true });
    } catch (failure) {
      if (isRunning(vblade)) throw failure; // otherwise it has ended meanwhile
    }
  }
}

async function isGoneWithin(vblade: Vblade, ms: number): Promise<boolean> {
  return (await pollUntil(() => !isRunning(vblade), { deadlineMs: ms })) === true;
}
