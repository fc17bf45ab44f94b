import { readFile } from 'node:fs/promises';
import { asError, errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { ImageDirectory } from './directory.ts';
import { Glance } from './glance.ts';
import type { ImageStore } from './store.ts';

type ImageFlags = Pick<Flags, 'image_url' | 'image_token_file' | 'image_directory'>;

export function openImageStore({
  image_url: url,
  image_token_file: tokenFile,
  image_directory: directory,
}: ImageFlags): ImageStore {
  if (url === '') return new ImageDirectory(directory);
  return new Glance({ url, token: async () => (tokenFile === '' ? '' : readToken(url, tokenFile)) });
}

async function readToken(url: string, file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw errors.imageServiceUnavailable(url, `image_token_file: ${asError(error).message}`);
  }
}
