import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { readIfExists, replaceFile } from '../../files.ts';

/** Returns the UUID of the volume group as of the last opening; undefined before the first. */
export async function readKnownUuid(directory: string): Promise<string | undefined> {
  return (await readIfExists(fileOfKnownUuid(directory)))?.trim();
}

export async function writeKnownUuid(directory: string, uuid: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await replaceFile(fileOfKnownUuid(directory), `${uuid}\n`);
}

export function fileOfKnownUuid(directory: string): string {
  return path.join(directory, 'group-uuid');
}
