import type { ValuesOf } from '../flags/flag.ts';
import type { sanFlags } from './flags.ts';

/** What a driver over SSH lacks of its flags, a text each. */
export function sanProblems(driver: string, flags: ValuesOf<typeof sanFlags>): string[] {
  const problems = flags.san_ip === '' ? [`volume_driver = ${driver} requires san_ip`] : [];
  if (!flags.san_is_local && flags.san_password === '' && flags.san_private_key === '') {
    problems.push(`volume_driver = ${driver} requires san_password or san_private_key`);
  }
  return problems;
}
