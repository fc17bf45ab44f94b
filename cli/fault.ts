import type { Fault } from '../lib/errors.ts';
import { isoTime, timeAgo } from './format.ts';

/** Returns the fault of a record in the form of --json: null where there is none; times are ISO 8601. */
export function faultJson(fault: Fault | undefined): object | null {
  if (fault === undefined) return null;
  return { ...fault, ...(fault.time === undefined ? {} : { time: isoTime(fault.time) }) };
}

/** Returns what `show` prints of the fault of a record; '' = left out. */
export function faultFacts(fault: Fault | undefined): [string, string][] {
  return [
    ['fault', fault?.message ?? ''],
    ['hint', fault?.hint ?? ''],
    ['failed step', fault?.step ?? ''],
    ['failed at', fault?.time === undefined ? '' : timeAgo(fault.time)],
  ];
}
