import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { readIfExists, replaceFile, syncDirectory } from '../../files.ts';

/** As LVM writes it. */
const form = /^[A-Za-z0-9]{6}(?:-[A-Za-z0-9]{4}){5}-[A-Za-z0-9]{6}$/;

/**
 * Returns the UUID of the volume group as of the last opening; undefined before the first. A file without one, as a power loss or a
 * full file system can leave it, says nothing: it must not keep the node from its group.
 */
export async function readKnownUuid(directory: string): Promise<string | undefined> {
  const text = (await readIfExists(fileOfKnownUuid(directory)))?.trim() ?? '';
  return form.test(text) ? text : undefined;
}

export async function writeKnownUuid(directory: string, uuid: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await replaceFile(fileOfKnownUuid(directory), `${uuid}\n`, { flush: true });
  await syncDirectory(directory);
}

export function fileOfKnownUuid(directory: string): string {
  return path.join(directory, 'group-uuid');
}
