import { execa } from 'execa';

/** Process ids that run in a network namespace; none if there is no such namespace. */
export async function processesIn(namespace: string): Promise<number[]> {
  const { stdout } = await execa('ip', ['netns', 'pids', namespace], { reject: false });
  return stdout
    .split('\n')
    .filter((line) => /^\d+$/.test(line))
    .map(Number);
}
