import { asError } from '../../lib/errors.ts';

/** Result of a check: one line, and a hint unless the level is ok. */
export interface Finding {
  level: 'ok' | 'warn' | 'bad';
  message: string;
  hint?: string;
}

export const ok = (message: string): Finding => ({ level: 'ok', message });
export const warn = (message: string, hint: string): Finding => ({ level: 'warn', message, hint });
export const bad = (message: string, hint: string): Finding => ({ level: 'bad', message, hint });

/** Runs a check; a catalogue error that it throws becomes a finding. */
export async function runCheck(check: () => Promise<Finding | readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const { message, hint } = asError(thrown);
    return message.split('\n').map((line) => bad(line, hint ?? 'see "blockstored --help"'));
  }
}
