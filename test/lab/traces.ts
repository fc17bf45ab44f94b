import { execa } from 'execa';

/** Returns the process ids in a network namespace; none if it does not exist. */
export async function processesIn(namespace: string): Promise<number[]> {
  const { stdout } = await execa('ip', ['netns', 'pids', namespace], { reject: false });
  return stdout
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}
