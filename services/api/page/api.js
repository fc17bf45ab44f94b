/** The base of every address is that of the page, also behind a proxy. */
const root = new URL('.', document.baseURI);
const readMs = 15_000;
const changeMs = 90_000;
const stored = 'blockstore-session';

/** An error that the API, or the way to it, answered. */
export class ApiError extends Error {
  /**
   * @param {number} status 0: no answer.
   * @param {string} message
   * @param {string} [requestId]
   */
  constructor(status, message, requestId = '') {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.requestId = requestId;
  }
}

/** @typedef {{ token: string, user: string, project: string }} Session */

/** The token is kept for this tab alone, until it is closed. */
export const session = {
  /** @returns {Session | undefined} */
  get() {
    const text = sessionStorage.getItem(stored);
    return text === null ? undefined : JSON.parse(text);
  },
  /** @param {Session} value */
  set(value) {
    sessionStorage.setItem(stored, JSON.stringify(value));
  },
  clear() {
    sessionStorage.removeItem(stored);
  },
};

/**
 * Returns what an answer has. Throws ApiError.
 * @param {string} method
 * @param {string} path Below /v3.
 * @param {unknown} [body]
 * @param {string} [key] Of a request that has one effect however often it is sent.
 * @returns {Promise<any>}
 */
export async function send(method, path, body, key) {
  const { token } = session.get() ?? {};
  const response = await request(`v3${path}`, {
    method,
    headers: {
      accept: 'application/json',
      'openstack-api-version': 'volume 3.70',
      ...(token === undefined ? {} : { 'x-auth-token': token }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(method === 'GET' ? readMs : changeMs),
  });
  return documentOf(response);
}

/** @param {string} path */
export function get(path) {
  return send('GET', path);
}

/**
 * Signs in with a password. Throws ApiError.
 * @param {{ user: string, password: string, project: string, domain: string }} credentials
 */
export async function signIn({ user, password, project, domain }) {
  const response = await request('identity/v3/auth/tokens', {
    method: 'POST',
    headers: { accept: 'application/json', 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        identity: { methods: ['password'], password: { user: { name: user, domain: { name: domain }, password } } },
        scope: { project: { name: project, domain: { name: domain } } },
      },
    }),
    signal: AbortSignal.timeout(readMs),
  });
  if (response.status === 404) throw new ApiError(404, 'this API has no identity service of its own: use a token');
  await documentOf(response);
  const token = response.headers.get('x-subject-token');
  if (token === null) throw new ApiError(response.status, 'the identity service answered without a token');
  session.set({ token, user, project });
}

/** Ends the session, and the token with it. */
export async function signOut() {
  const { token } = session.get() ?? {};
  session.clear();
  if (token === undefined) return;
  await request('identity/v3/auth/tokens', {
    method: 'DELETE',
    headers: { 'x-auth-token': token, 'x-subject-token': token },
    signal: AbortSignal.timeout(readMs),
  }).catch(() => undefined); // it expires by itself
}

/** Returns a key for a request that may be sent twice. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * @param {string} path
 * @param {RequestInit} init
 */
async function request(path, init) {
  try {
    return await fetch(new URL(path, root), { ...init, credentials: 'omit', cache: 'no-store' });
  } catch {
    throw new ApiError(0, 'The node does not answer');
  }
}

/**
 * @param {Response} response
 * @returns {Promise<any>}
 */
async function documentOf(response) {
  const text = await response.text().catch(() => '');
  const body = parsed(text);
  if (response.ok) return body;
  const [fault] = Object.values(body ?? {});
  const id = response.headers.get('x-openstack-request-id') ?? '';
  throw new ApiError(response.status, fault?.message ?? `the API answered ${response.status}`, id);
}

/**
 * @param {string} text
 * @returns {any}
 */
function parsed(text) {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
