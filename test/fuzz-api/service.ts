import type { Flags } from '../../lib/flags/definitions.ts';
import type { Random } from '../simulation/random.ts';
import type { Place } from './place.ts';
import type { FuzzRequest } from './requests.ts';
import type { FuzzAnswer } from './sender.ts';

export type Answer = Extract<FuzzAnswer, { kind: 'answer' }>;

/** Requests to one service, which learn from their answers. */
export interface RequestSource {
  next(): FuzzRequest;
  /** `body`: of the answer, as JSON. Returns what is wrong with it beside what the document says. */
  learn(request: FuzzRequest, answer: Answer, body: unknown): string | undefined | Promise<string | undefined>;
  /** Returns what is wrong at the end. */
  problems?(): Promise<readonly string[]>;
}

/** A service that requests are sent to. */
export interface FuzzedService {
  flags: Partial<Record<keyof Flags, string>>;
  /** Whole requests that no library sends. */
  raw: readonly (string | Buffer)[];
  source: (place: Place, random: Random) => RequestSource | Promise<RequestSource>;
}
