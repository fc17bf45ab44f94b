import type { Answer } from './agent.ts';

/** How the answer begins where a machine has none. */
export const silent = 'asked what it does';
export const patienceOfQuestionMs = 30_000;

/** What waits, and where in the kernel; what the kernel said last; and what its devices of AoE are doing. */
const questions = [
  'ps -eo pid,ppid,stat,wchan:28,etimes,args | grep -v "\\[.*\\]$"',
  'for task in /proc/[0-9]*/task/[0-9]*; do grep -q "^State:.D" $task/status 2>/dev/null && echo "$task $(tr "\\0" " " <$task/cmdline)" && cat $task/stack; done; true',
  'dmesg | tail -n 25',
  'grep -s . /sys/block/etherd*/state /sys/block/etherd*/inflight /sys/block/etherd*/netif || true',
];

/** What a machine does that gives no answer, for the report of a test that failed. */
export async function whatItDoes(run: (script: string) => Promise<Answer>): Promise<string> {
  const answers: string[] = [];
  for (const question of questions) {
    try {
      answers.push((await run(question)).output);
    } catch (error) {
      // A machine that does not even answer this says enough by that.
      return [...answers, `${silent}: ${String(error)}`].join('\n---\n');
    }
  }
  return answers.join('\n---\n');
}
