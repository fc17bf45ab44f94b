import { BlockstoreError } from './blockstore-error.ts';
import { maxSize } from './volume-size.ts';

/** Errors of images. `image` is an id or a name. */
export const imageErrors = {
  imageRefused: (image: string, reason: string) =>
    new BlockstoreError(
      'ImageRefused',
      'invalid',
      `image ${image} is refused: ${reason}`,
      'state its real format, and upload it whole, in one file: "qemu-img convert" makes one of an image with a backing file',
    ),
  imageFileUnreadable: (file: string, reason: string) =>
    new BlockstoreError(
      'ImageFileUnreadable',
      'failed',
      `file ${file} could not be read to its end: ${reason}`,
      'check its disk, and that nothing writes to it; then import it again',
    ),
  imageNotFound: (image: string, store: string) =>
    new BlockstoreError(
      'ImageNotFound',
      'notFound',
      `image ${image} does not exist in ${store}`,
      'list them: blockstore image list',
    ),
  imageAmbiguous: (name: string, store: string, matches: readonly string[]) =>
    new BlockstoreError(
      'ImageAmbiguous',
      'invalid',
      `${name} matches more than one image in ${store}, such as ${matches.join(', ')}`,
      'give the full id',
    ),
  imageNotActive: (image: string, status: string) =>
    new BlockstoreError(
      'ImageNotActive',
      'conflict',
      `image ${image} cannot be used: it is ${status}`,
      'wait until its upload has ended, or upload it again',
    ),
  imageExists: (image: string) =>
    new BlockstoreError(
      'ImageExists',
      'conflict',
      `image ${image} exists already, with data`,
      'give another id, or delete it first',
    ),
  imageProtected: (image: string) =>
    new BlockstoreError(
      'ImageProtected',
      'denied',
      `the image service does not let image ${image} be deleted`,
      'end its protection there, or ask its owner',
    ),
  imageServiceUnavailable: (store: string, reason: string) =>
    new BlockstoreError(
      'ImageServiceUnavailable',
      'unavailable',
      `the image service ${store} cannot be used: ${reason}`,
      'see that it runs, that image_url is its address, and that image_token_file has a token it accepts',
    ),
  imageCutShort: (image: string, bytes: number, sizeBytes: number) =>
    new BlockstoreError(
      'ImageServiceUnavailable',
      'unavailable',
      `the data of image ${image} ended after ${bytes} of ${sizeBytes} bytes`,
      'see that its service runs; where its data are damaged, upload the image again',
    ),
  imageChanged: (image: string, what: string) =>
    new BlockstoreError(
      'ImageChanged',
      'failed',
      `the data of image ${image} do not have ${what} that its service states`,
      'repeat it; if that does not help, the data were damaged where they are kept: upload the image again',
    ),
  imageOfAttached: (volume: string, instance: string) =>
    new BlockstoreError(
      'VolumeAttached',
      'conflict',
      `volume ${volume} is attached to ${instance}: an image of it would have what is on the storage at several moments`,
      'detach it; or have it as it is at one moment, by a snapshot: --force, or --snapshot for one that is there',
    ),
  imageLargerThanVolumes: (image: string, bytes: number) =>
    new BlockstoreError(
      'ImageTooLarge',
      'invalid',
      `image ${image} has a disk of ${bytes} bytes, and no volume has more than ${maxSize} GiB`,
      'reduce the file system on it, then the image: qemu-img resize --shrink',
    ),
  imageTooLarge: (image: string, bytes: number, volumeBytes: number) =>
    new BlockstoreError(
      'ImageTooLarge',
      'invalid',
      `image ${image} has a disk of ${bytes} bytes, the volume has ${volumeBytes}`,
      `use a volume of at least ${Math.ceil(bytes / 2 ** 30)} GiB`,
    ),
};
