/** A difference, and how it is repaired; without `run` only a person can. */
export interface Difference {
  object: string;
  what: string;
  fix: string;
  run?: (signal: AbortSignal) => Promise<unknown>;
  /** A record is made again; nothing else changes. */
  makesRecord?: true;
  /** A task of the volume goes on: its storage is to be examined after that. */
  resumes?: true;
  /** It is repaired although no repair is asked for. */
  requested?: true;
}
