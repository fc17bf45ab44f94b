import { type Check, type Finding, bad } from '../../lib/check.ts';
import { asError } from '../../lib/errors.ts';

/** Runs a check; a catalogue error that it throws becomes a finding. */
export async function runCheck(check: Check): Promise<readonly Finding[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const { message, hint } = asError(thrown);
    return message.split('\n').map((line) => bad(line, withoutDoctor(hint) || 'see "blockstored --help"'));
  }
}

/** Who runs the doctor is not sent to it. */
function withoutDoctor(hint = ''): string {
  const parts = hint.split('; ').filter((part) => !part.includes('blockstore doctor'));
  return parts.join('; ');
}
