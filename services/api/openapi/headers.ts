/** Headers that the documents have in common. */
const requestId = { type: 'string', pattern: '^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' };

export const requestIdParameter = {
  name: 'X-OpenStack-Request-ID',
  in: 'header',
  description: 'An id that the client gives to the request; events and the log of the node have it',
  schema: requestId,
};

export const idempotencyKeyParameter = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'A request that is repeated with the same key has one effect',
  schema: { type: 'string', minLength: 1, maxLength: 255 },
};

export const requestIdHeader = {
  description: 'The id of the request, as in the log of the node',
  required: true,
  schema: requestId,
};

/** Of an answer that a client should repeat its request after. */
export const retryAfterHeader = {
  description: 'Seconds',
  required: true,
  schema: { type: 'string', pattern: String.raw`^\d+$` },
};
