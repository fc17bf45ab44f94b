import type { Readable } from 'node:stream';
import type { Image } from './image.ts';

export interface NewImage {
  /** UUID; the store chooses one without it. */
  id?: string;
  name: string;
  diskFormat: string;
  /** In GiB. */
  minDisk?: number;
}

export interface ImagePage {
  images: readonly Image[];
  /** The next page begins after it; undefined: there is none. */
  marker?: string;
}

/** Where images are kept. Every call throws ImageServiceUnavailable where the service does not answer or may not be used. */
export interface ImageStore {
  /** Returns an image by its id. Throws ImageNotFound. */
  show(id: string): Promise<Image>;
  /** Returns those of that name, at most two: one is it, two are ambiguous. */
  named(name: string): Promise<readonly Image[]>;
  list(options: { limit: number; marker?: string }): Promise<ImagePage>;
  /** Returns the data from that byte on. Throws ImageNotFound, ImageNotActive. */
  download(id: string, from: number, signal?: AbortSignal): Promise<Readable>;
  /** Makes an image without data. Throws ImageExists where one has the id. */
  create(image: NewImage): Promise<Image>;
  /** Gives an image its data, whole or not at all. Throws ImageNotFound, ImageExists where it has data. */
  upload(id: string, data: Readable, signal?: AbortSignal): Promise<void>;
  /** The same from a file of this machine, which the store may take: a copy less. */
  uploadFile?(id: string, path: string, signal?: AbortSignal): Promise<void>;
  /** An absent image is success. Throws ImageProtected. */
  remove(id: string): Promise<void>;
}
