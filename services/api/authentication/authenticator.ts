import type { Caller } from '../caller.ts';

/** What a request says of its caller. */
export interface Credentials {
  /** The header X-Auth-Token; '' = none. */
  token: string;
  /** The project in the path; '' = none. */
  project: string;
}

/** Finds out who sends a request. */
export interface Authenticator {
  /** Who reaches the API needs no proof. */
  readonly trustsEverybody?: true;
  /** Returns the header WWW-Authenticate of an answer to a request that lacks a token. `origin`: the address of the API. */
  challenge?(origin: string): string;
  /** Throws NotAuthenticated, RedisUnreachable. */
  authenticate(credentials: Credentials): Promise<Caller>;
  /** Ends its connections. */
  close?(): void;
}
