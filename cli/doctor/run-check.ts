import { type Check, type Finding, bad } from '../../lib/check.ts';
import { asError } from '../../lib/errors.ts';

/** Instead of a hint that leads to doctor. */
const seeLog = 'correct what the message names; the log of the daemon can have more: journalctl --unit blockstored';

/** Runs a check; a catalogue error that it throws becomes a finding. */
export async function runCheck(check: Check): Promise<readonly Finding[]> {
  try {
    return [await check()].flat();
  } catch (thrown) {
    const { message, hint = 'see "blockstored --help"' } = asError(thrown);
    const advice = withoutDoctor(hint) || seeLog;
    return message.split('\n').map((line) => bad(line, advice));
  }
}

/** Who runs the doctor is not sent to it. */
function withoutDoctor(hint: string): string {
  const parts = hint.split('; ').filter((part) => !part.includes('blockstore doctor'));
  return parts.join('; ');
}
