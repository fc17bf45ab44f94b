import { STATUS_CODES } from 'node:http';
import type { BlockstoreError } from '../../../lib/errors.ts';
import { errorAnswer } from '../error-answer.ts';

/** The same error in the form that clients of Identity v3 know. */
export function identityErrorAnswer(error: BlockstoreError) {
  const { status, headers, body } = errorAnswer(error);
  const [fault] = Object.values(body);
  return {
    status,
    headers,
    body: { error: { code: status, title: STATUS_CODES[status], message: fault?.message ?? '' } },
  };
}
