import { randomUUID } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { asError, errors } from '../../lib/errors.ts';
import { absentAs } from '../../lib/files.ts';
import { inspectImage } from '../../lib/images/inspect.ts';
import type { ImageFormat } from '../../lib/images/formats/names.ts';
import { openImageStore } from '../../lib/images/open-store.ts';
import type { ImageStore, NewImage } from '../../lib/images/store.ts';
import { maxSize, sizeInBytes } from '../../lib/volume-size.ts';
import type { Context } from '../context.ts';
import type { Output } from '../output.ts';
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
  const { output, interrupts } = context;
  const { format, name = basename(file), minDisk, id = randomUUID() } = options;
  await requireFile(file);
  const diskBytes = await inspectImage(file, file, format);
  if (diskBytes > sizeInBytes(maxSize)) throw errors.imageLargerThanVolumes(file, diskBytes);
  const store = openImageStore((await context.loadFlags()).flags);
  const request = { id, name, diskFormat: format, ...(minDisk === undefined ? {} : { minDisk }) };
  await interrupts.undoable('import', (signal) =>
    upload({ output, store, signal, isNew: options.id === undefined }, request, file),
  );
  if (output.json) await output.document(imageJson(await store.show(id)));
  else await output.line(id);
}

interface Upload {
  output: Output;
  store: ImageStore;
  /** Aborts it. */
  signal: AbortSignal;
  /** Whether no other command can have made the image. */
  isNew: boolean;
}

/** Where it fails or is aborted, what it made is removed. Throws Interrupted, ImageFileUnreadable, and what the store throws. */
async function upload(
  { output, store, signal, isNew: isNewId }: Upload,
  request: NewImage & { id: string },
  file: string,
): Promise<void> {
  const { id } = request;
  const progress = new Progress(output, 'uploading');
  const source = new ImageFile(file, (percent) => progress.update(`uploading: ${percent} %`));
  let isNew = isNewId;
  try {
    ({ isNew } = await madeImage(store, request));
    signal.throwIfAborted();
    await store.upload(id, Readable.from(source.parts()), signal);
    signal.throwIfAborted();
  } catch (error) {
    // Not that of another command with this id, which has its data or gets them yet.
    if (asError(error).code !== 'ImageExists') {
      if (isNew) await discard(output, store, id);
      else output.note(`to repeat the command for the same image: --id ${id}`);
    }
    throw signal.aborted ? errors.undone('import', file) : (source.failure ?? error);
  } finally {
    progress.end();
  }
}

async function discard(output: Output, store: ImageStore, id: string): Promise<void> {
  await store.remove(id).catch((reason: unknown) => {
    const { message } = asError(reason);
    output.warn(`image ${id} may stay without data: ${message}; to remove it: blockstore image delete ${id}`);
  });
}

/** Throws InvalidArgument. */
async function requireFile(path: string): Promise<void> {
  const found = await absentAs(undefined, stat(path));
  if (!found) throw errors.invalidArgument('file', path, 'the path of a file that exists');
  if (!found.isFile()) throw errors.invalidArgument('file', path, 'the path of a file with data');
}

/** The data of a file, read once. */
class ImageFile {
  /** Why it could not be read; the store that reads it says less. */
  failure: Error | undefined;
  private readonly path: string;
  private readonly progress: (percent: number) => void;

  constructor(path: string, progress: (percent: number) => void) {
    this.path = path;
    this.progress = progress;
  }

  async *parts(): AsyncGenerator<Buffer> {
    await using source = await this.reading(open(this.path, 'r'));
    const { size } = await this.reading(source.stat());
    let read = 0;
    for (;;) {
      const { buffer, bytesRead } = await this.reading(source.read(Buffer.alloc(partBytes), 0, partBytes, read));
      read += bytesRead;
      if (read > size || (bytesRead === 0 && read < size)) this.fail(`its size of ${size} bytes has changed`);
      if (bytesRead === 0) return;
      this.progress(Math.floor((100 * read) / size));
      yield buffer.subarray(0, bytesRead);
    }
  }

  private reading<T>(work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => this.fail(asError(error).message));
  }

  private fail(reason: string): never {
    this.failure = errors.imageFileUnreadable(this.path, reason);
    throw this.failure;
  }
}
