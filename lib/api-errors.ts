import { BlockstoreError } from './blockstore-error.ts';

/** Errors of requests to the API, before they reach a volume. */
export const apiErrors = {
  /** `problems`: each with the name of its part of the request. */
  invalidRequest: (problems: readonly string[]) =>
    new BlockstoreError(
      'InvalidRequest',
      'invalid',
      problems.join('; '),
      'GET /v3/openapi.json describes every request, /identity/v3/openapi.json those of the identity service',
    ),
  noSuchCall: (method: string, path: string) =>
    new BlockstoreError(
      'NoSuchCall',
      'notFound',
      `there is no ${method} ${path}`,
      'GET /v3/openapi.json lists every call, /identity/v3/openapi.json those of the identity service',
    ),
  /** `name`: of the project in a path. */
  reservedProject: (name: string) =>
    new BlockstoreError(
      'ReservedProject',
      'notFound',
      `${name} in a path is a part of the API, not a project`,
      'leave the project out of the path, /v3/volumes, or give it another name',
    ),
  noSuchVersion: (asked: string, least: string, most: string) =>
    new BlockstoreError(
      'NoSuchVersion',
      'invalid',
      `version ${asked} of the API is not served: least ${least}, most ${most}`,
      'ask for a version between them in the header OpenStack-API-Version: volume 3.x',
    ),
  /** `reason`: without anything of the credentials. */
  notAuthenticated: (reason: string) =>
    new BlockstoreError('NotAuthenticated', 'denied', reason, 'get a new token and repeat the request'),
  identityUnavailable: () =>
    new BlockstoreError(
      'IdentityUnavailable',
      'unavailable',
      'the identity service cannot be asked about the token',
      'repeat the request; the log of the node has the reason',
      { retryAfter: 5 },
    ),
  notPermitted: (call: string, roles: readonly string[]) =>
    new BlockstoreError(
      'NotPermitted',
      'denied',
      `${call} requires the role ${roles.join(' or ')}`,
      'ask an administrator for the role in this project',
    ),
  projectRequired: (call: string) =>
    new BlockstoreError(
      'ProjectRequired',
      'denied',
      `${call} requires a project, and the token has none`,
      'sign in for a project: --os-project-name, OS_PROJECT_NAME, or "scope" in the request for the token',
    ),
  requestTooLarge: (bytes: number) =>
    new BlockstoreError('RequestTooLarge', 'invalid', `the request has more than ${bytes} bytes`, 'send less at once'),
  /** `host`: the name of the page, '' where it is not known. */
  foreignPage: (host: string) =>
    new BlockstoreError(
      'ForeignPage',
      'denied',
      `a page of ${host === '' ? 'another site' : host} may not use this API`,
      'open the page by the IP address of the node, or set api_url to the address that browsers use',
    ),
  headerTooLarge: () =>
    new BlockstoreError(
      'HeaderTooLarge',
      'invalid',
      'the header of the request is too large',
      'send a shorter address, and fewer or shorter headers',
    ),
  requestTooSlow: () =>
    new BlockstoreError(
      'RequestTooSlow',
      'invalid',
      'the request did not arrive in time',
      'check the network between the client and the node, and repeat the request',
    ),
  tlsRequired: () =>
    new BlockstoreError(
      'TlsRequired',
      'invalid',
      'this port speaks TLS, and the request is plain HTTP',
      'use https:// in the address',
    ),
  noJson: () =>
    new BlockstoreError(
      'NoJson',
      'invalid',
      'the request is not JSON',
      'send the header Content-Type: application/json and a JSON document',
    ),
  tooManyRequests: (seconds: number) =>
    new BlockstoreError(
      'TooManyRequests',
      'unavailable',
      `too many requests from this caller; the next one is served in ${seconds} s`,
      'wait for the time that the header Retry-After names',
      { retryAfter: seconds },
    ),
  callerBusy: (requests: number, seconds: number) =>
    new BlockstoreError(
      'CallerBusy',
      'unavailable',
      `${requests} requests of this caller are under way`,
      'wait for some of them, and repeat the request',
      { retryAfter: seconds },
    ),
  apiBusy: (requests: number, seconds: number) =>
    new BlockstoreError(
      'ApiBusy',
      'unavailable',
      `this node answers ${requests} requests, which is as many as it may`,
      'repeat the request, or send it to another node that serves the API',
      { retryAfter: seconds },
    ),
  tooManyConnections: (connections: number) =>
    new BlockstoreError(
      'TooManyConnections',
      'unavailable',
      `${connections} connections of this address are open`,
      'close some of them; the administrator can raise api_max_connections_per_address',
    ),
  /** It may have an effect yet. */
  answerLate: (seconds: number) =>
    new BlockstoreError(
      'AnswerLate',
      'unavailable',
      `the request was not answered within ${seconds} s, and continues in the background`,
      'look at the object before you repeat it, or repeat it with the same Idempotency-Key',
    ),
  /** `version`: of the API, from which on that is done. */
  extendedAttached: (volume: string, instance: string, version: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}`,
      `ask for version ${version} of the API or a later one, which extends attached volumes, or detach it first`,
    ),
  nodeStopping: () =>
    new BlockstoreError(
      'NodeStopping',
      'unavailable',
      'the node that serves this request is stopping; what the request has begun continues',
      'look at the object by another node, and repeat the request where it had no effect',
    ),
  markerNotFound: (marker: string) =>
    new BlockstoreError('MarkerNotFound', 'notFound', `the marker ${marker} does not exist`, 'list from the beginning'),
  metadataNotFound: (object: string, key: string) =>
    new BlockstoreError('MetadataNotFound', 'notFound', `${object} has no metadata ${key}`, 'list its metadata'),
  /** `bound`: records that one request examines at most. */
  listTooLong: (reason: string, bound: number) =>
    new BlockstoreError(
      'ListTooLong',
      'invalid',
      `${reason} would read more than ${bound} records`,
      'list without it, or with a filter that fewer records match',
    ),
  /** `what`: a sentence about what clients of other installations can ask for. */
  notOffered: (what: string, hint: string) => new BlockstoreError('NotOffered', 'invalid', what, hint),
  notFoundHere: (what: string, id: string, hint: string) =>
    new BlockstoreError('NotFound', 'notFound', `${what} ${id} does not exist`, hint),
  apiAddressTaken: (address: string) =>
    new BlockstoreError(
      'ApiAddressTaken',
      'conflict',
      `the API cannot listen on ${address}: another program does`,
      'end that program, see "ss -ltnp", or set api_listen to another port',
    ),
};
