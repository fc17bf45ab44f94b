import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/** What a record keeps of a key. */
export interface StoredKey {
  salt: string;
  hash: string;
}

/** Crockford's: without letters that are read as digits, or as one another. */
const alphabet = '0123456789abcdefghjkmnpqrstvwxyz';
/** 160 bits. */
const keyBytes = 20;
const groupLength = 4;
const saltBytes = 16;
const hashBytes = 32;

/** Returns a new key of 160 random bits, as eight groups of four letters and digits. */
export function newTransferKey(): string {
  const bits = Array.from(randomBytes(keyBytes), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const letters = Array.from(bits.match(/.{5}/g) ?? [], (five) => alphabet[Number.parseInt(five, 2)]).join('');
  return (letters.match(new RegExp(`.{${groupLength}}`, 'g')) ?? []).join('-');
}

/** Returns what may be stored of a key. */
export async function storedKey(key: string): Promise<StoredKey> {
  const salt = randomBytes(saltBytes);
  const hash = await derive(key, salt);
  return { salt: salt.toString('base64url'), hash: hash.toString('base64url') };
}

/** Whether a key that somebody has entered is that one. It takes the same time however much of it is right. */
export async function isKey(given: string, { salt, hash }: StoredKey): Promise<boolean> {
  const expected = Buffer.from(hash, 'base64url');
  const found = await derive(given, Buffer.from(salt, 'base64url'));
  return expected.length === found.length && timingSafeEqual(expected, found);
}

function derive(key: string, salt: Buffer): Promise<Buffer> {
  return promisify<string, Buffer, number, Buffer>(scrypt)(plain(key), salt, hashBytes);
}

/** The key as it was made, however it was read over: in capitals, with spaces, with O for 0 and I or L for 1. */
function plain(given: string): string {
  return given.toLowerCase().replaceAll(/[\s-]/g, '').replaceAll('o', '0').replaceAll(/[il]/g, '1');
}
