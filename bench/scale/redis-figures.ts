import type { Redis } from 'ioredis';

export async function usedMemory(redis: Redis): Promise<number> {
  return numberIn(await redis.info('memory'), 'used_memory');
}

/** Seconds of processor that the server has used since its start. */
export async function usedProcessor(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  return numberIn(info, 'used_cpu_user') + numberIn(info, 'used_cpu_sys');
}

function numberIn(info: string, name: string): number {
  return Number(new RegExp(`^${name}:([\\d.]+)`, 'm').exec(info)?.[1]);
}
