import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { Semaphore } from '../concurrency.ts';
import { errors } from '../errors.ts';

/** What one hash costs: 32 MiB and about 80 ms of one processor. Stored with each hash, so that later ones can cost more. */
const cost = { ln: 15, r: 8, p: 1 } as const;
/** Hashes that cost more than this process can pay are not computed. */
const maxLn = 17;
const maxR = 16;
const maxP = 4;
const saltBytes = 16;
const hashBytes = 32;
const minBytes = 8;
const maxBytes = 256;
/** Node.js has four threads for that: two stay free for files. */
const concurrency = 2;
/** About four seconds of work. */
const maxWaiting = 64;

interface Cost {
  ln: number;
  r: number;
  p: number;
}

const turns = new Semaphore(concurrency);
let waiting = 0;

/** Throws WeakPassword. */
export function checkPassword(password: string): string {
  const bytes = Buffer.byteLength(password);
  if (bytes < minBytes || bytes > maxBytes) throw errors.weakPassword(minBytes, maxBytes);
  return password;
}

/** Returns 24 random letters and digits: more than 120 bits. */
export function newPassword(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
  let password = '';
  while (password.length < 24) {
    // Bytes beyond the last whole multiple would make some letters more frequent.
    for (const byte of randomBytes(32)) if (byte < 224 && password.length < 24) password += letters[byte % 56] ?? '';
  }
  return password;
}

/** Returns what may be stored of a password. Throws WeakPassword, SignInBusy. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes);
  const hash = await inTurn(() => derive(checkPassword(password), salt, cost));
  const { ln, r, p } = cost;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`;
}

/**
 * Runs `check` with a function that says whether a password is that of a stored hash; '' is that of nobody, and takes the same time.
 * A bounded number runs at a time, others wait. Throws SignInBusy where too many do.
 */
export function withPasswordCheck<T>(
  check: (isPassword: (given: string, stored: string) => Promise<boolean>) => Promise<T>,
): Promise<T> {
  return inTurn(() => check(isPassword));
}

async function isPassword(given: string, stored: string): Promise<boolean> {
  const parts = partsOf(stored);
  const { hash, salt, ...its } = parts ?? { ...cost, salt: randomBytes(saltBytes), hash: randomBytes(hashBytes) };
  const tooLong = Buffer.byteLength(given) > maxBytes;
  const found = await derive(tooLong ? '' : given, salt, its);
  return timingSafeEqual(found, hash) && parts !== undefined && !tooLong;
}

async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (waiting >= maxWaiting) throw errors.signInBusy();
  waiting += 1;
  try {
    return await turns.run(work);
  } finally {
    waiting -= 1;
  }
}

function partsOf(stored: string): (Cost & { salt: Buffer; hash: Buffer }) | undefined {
  const found = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d)\$([\w-]{16,64})\$([\w-]{43})$/.exec(stored);
  const [, ln, r, p, salt = '', hash = ''] = found ?? [];
  const its = { ln: Number(ln), r: Number(r), p: Number(p) };
  const isPayable = its.ln >= 1 && its.ln <= maxLn && its.r >= 1 && its.r <= maxR && its.p >= 1 && its.p <= maxP;
  if (!found || !isPayable) return undefined;
  return { ...its, salt: Buffer.from(salt, 'base64url'), hash: Buffer.from(hash, 'base64url') };
}

/** The same characters in another form of Unicode are the same password. */
function derive(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
  const options = { N: 2 ** ln, r, p, maxmem: 256 * 2 ** ln * r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, hashBytes, options, (error, key) => {
      if (error) reject(error);
      else resolve(key);
    });
  });
}
