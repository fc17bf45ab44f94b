import { asError } from '../../lib/errors.ts';

/** What a check found: one line, and unless all is well the way out. */
export interface Finding {
  level: 'ok' | 'warn' | 'bad';
  message: string;
  hint?: string;
}

export const ok = (message: string): Finding => ({ level: 'ok', message });
export const warn = (message: string, hint: string): Finding => ({ level: 'warn', message, hint });
export const bad = (message: string, hint: string): Finding => ({ level: 'bad', message, hint });

/** A check that ends with an error of the catalogue has found just that. */
export async function found(check: () => Promise<Finding | readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const { message, hint } = asError(thrown);
    return message.split('\n').map((line) => bad(line, hint ?? 'see "blockstored --help"'));
  }
}
