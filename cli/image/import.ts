import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { errors } from '../../lib/errors.ts';
import { absentAs } from '../../lib/files.ts';
import { inspectImage } from '../../lib/images/inspect.ts';
import type { ImageFormat } from '../../lib/images/formats/names.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { Context } from '../context.ts';
import { Progress } from '../progress.ts';
import { madeImage } from './made-image.ts';
import { imageJson } from './present.ts';

const partBytes = 2 ** 20;

export interface ImportOptions {
  format: ImageFormat;
  name?: string;
  minDisk?: number;
  id?: string;
}

/** Prints the id. The file is examined first: an image that no volume can be made from is not uploaded. */
export async function importImage(context: Context, file: string, options: ImportOptions): Promise<void> {
  const { output } = context;
  const { format, name = basename(file), minDisk, id } = options;
  await requireFile(file);
  await inspectImage(file, file, format);
  const store = openImageStore((await context.loadFlags()).flags);
  const request = {
    name,
    diskFormat: format,
    ...(minDisk === undefined ? {} : { minDisk }),
    ...(id === undefined ? {} : { id }),
  };
  const image = await madeImage(store, request);
  const progress = new Progress(output, 'uploading');
  try {
    await store.upload(image.id, Readable.from(partsOf(file, (percent) => progress.update(`uploading: ${percent} %`))));
  } catch (error) {
    // A repetition with the id uploads to the same image.
    output.note(`image ${image.id} has no data yet; to repeat the command: --id ${image.id}`);
    throw error;
  } finally {
    progress.end();
  }
  if (output.json) await output.document(imageJson(await store.show(image.id)));
  else await output.line(image.id);
}

/** Throws InvalidArgument. */
async function requireFile(path: string): Promise<void> {
  const found = await absentAs(undefined, stat(path));
  if (!found) throw errors.invalidArgument('file', path, 'the path of a file that exists');
  if (!found.isFile()) throw errors.invalidArgument('file', path, 'the path of a file with data');
}

async function* partsOf(file: string, progress: (percent: number) => void): AsyncGenerator<Buffer> {
  await using source = await open(file, 'r');
  const { size } = await source.stat();
  let read = 0;
  for (;;) {
    const { buffer, bytesRead } = await source.read(Buffer.alloc(partBytes), 0, partBytes, read);
    if (bytesRead === 0) return;
    read += bytesRead;
    progress(Math.floor((100 * read) / size));
    yield buffer.subarray(0, bytesRead);
  }
}
