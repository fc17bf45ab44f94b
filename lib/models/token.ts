import { type Hash, UnreadableError } from './hash.ts';
import { isHexId } from './hex-id.ts';

/** What is kept of a token. Times are milliseconds since the epoch. */
export interface TokenState {
  /** The hash of its text. */
  id: string;
  user: string;
  /** '' = for none. */
  project: string;
  /** The application credential that it was got with; '' = none. */
  credential: string;
  /** How its user signed in, such as `password`. */
  methods: readonly string[];
  /** That of the user when it was made. */
  generation: string;
  /** Names it in answers, which never have its text twice. */
  auditId: string;
  issueTime: number;
  expires: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseToken(id: string, hash: Hash): TokenState {
  const { user = '', project = '', credential = '', generation = '', issueTime = '', expires = '' } = hash;
  if (!isHexId(user)) throw new UnreadableError('lacks its user');
  if (!/^\d{1,16}$/.test(issueTime) || !/^\d{1,16}$/.test(expires)) throw new UnreadableError('lacks its times');
  return {
    id,
    user,
    project,
    credential,
    methods: (hash['methods'] ?? '').split(',').filter((method) => method !== ''),
    generation,
    auditId: hash['auditId'] ?? '',
    issueTime: Number(issueTime),
    expires: Number(expires),
  };
}
