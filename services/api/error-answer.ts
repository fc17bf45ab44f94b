import type { BlockstoreError, ErrorKind } from '../../lib/errors.ts';
import { newest, oldest, versionText } from './microversion.ts';

/** How clients of the Block Storage API know an error: HTTP status and name of its document. */
interface Form {
  status: number;
  name: string;
}

const ofKind: Readonly<Record<ErrorKind, Form>> = {
  invalid: { status: 400, name: 'badRequest' },
  notFound: { status: 404, name: 'itemNotFound' },
  conflict: { status: 409, name: 'conflictingRequest' },
  exhausted: { status: 413, name: 'overLimit' },
  unavailable: { status: 503, name: 'serviceUnavailable' },
  denied: { status: 403, name: 'forbidden' },
  failed: { status: 500, name: 'computeFault' },
};

/** Errors that HTTP has a status of its own for. */
const ofCode: ReadonlyMap<string, Form> = new Map([
  ['NotAuthenticated', { status: 401, name: 'unauthorized' }],
  ['NoSuchVersion', { status: 406, name: 'notAcceptable' }],
  ['RequestTooLarge', { status: 413, name: 'overLimit' }],
  ['RequestTooSlow', { status: 408, name: 'requestTimeout' }],
  ['HeaderTooLarge', { status: 431, name: 'overLimit' }],
  ['NoJson', { status: 415, name: 'badMediaType' }],
  // Nobody learns from it whether a transfer of that id exists.
  ['TransferRefused', { status: 404, name: 'itemNotFound' }],
  ['TooManyRequests', { status: 429, name: 'overLimit' }],
  ['CallerBusy', { status: 429, name: 'overLimit' }],
  ['TooManyConnections', { status: 429, name: 'overLimit' }],
  ['SignInRefused', { status: 401, name: 'unauthorized' }],
  ['SignInLocked', { status: 429, name: 'overLimit' }],
]);

/** Every form that an error can have. */
export const errorForms: readonly Form[] = [...Object.values(ofKind), ...ofCode.values()];

/** When a client is to try again, in seconds, where the error does not say. */
const retryAfter = 5;

export interface ErrorAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Readonly<Record<string, { code: number; message: string; [more: string]: string | number }>>;
}

/** The message is one line; the cause of a failure is in the log alone, found by the id of the request. */
export function errorAnswer(error: BlockstoreError): ErrorAnswer {
  const { status, name } = ofCode.get(error.code) ?? ofKind[error.kind];
  const isInternal = error.code === 'Internal';
  const hint = error.hint === undefined || isInternal ? '' : `; ${error.hint}`;
  const message = isInternal ? 'internal error; the log of the node has its cause' : `${error.message}${hint}`;
  const range =
    error.code === 'NoSuchVersion' ? { min_version: versionText(oldest), max_version: versionText(newest) } : {};
  return {
    status,
    headers: status === 503 || status === 429 ? { 'retry-after': String(error.retryAfter ?? retryAfter) } : {},
    body: { [name]: { code: status, message: message.replaceAll('\n', '; '), ...range } },
  };
}
