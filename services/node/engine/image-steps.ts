import { withVolumeData } from '../../../lib/drivers/open-data.ts';
import { errors } from '../../../lib/errors.ts';
import { fillFromImage } from '../../../lib/images/fill.ts';
import { sendToImage } from '../../../lib/images/send.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { discardImage as removeWithoutData } from '../snapshot-readers.ts';
import { volumeSpec } from '../specs.ts';
import type { Step } from './operation.ts';

/** The data of a new volume. Its storage is labelled with the image until all of it is there: a loss of Redis must not make it available. */
export const copyFromImage: Step = {
  name: 'image',
  isDone: async ({ volume, backend: { driver } }) => {
    if (!volume.isCopying || volume.fromImage === '') return true;
    const found = (await driver.listVolumes()).find(({ id }) => id === volume.id);
    return found !== undefined && found.labels['image'] === undefined;
  },
  run: async ({ volume, backend: { driver }, images, isBlank, hasImage, signal, progress }) => {
    const { id, fromImage, isCopying, size } = volume;
    if (!isCopying || fromImage === '') return;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    const spec = volumeSpec(volume);
    await driver.ensureVolume(spec);
    const target = { sizeBytes: sizeInBytes(size), isBlank };
    const fill = (path: string) => fillFromImage(images, fromImage, { ...target, path }, { signal, progress });
    if (!hasImage) await withVolumeData(driver, spec, { access: 'write', signal }, fill);
    await driver.labelVolume(volumeSpec({ ...volume, isCopying: false }));
  },
};

/** The data of a volume, as they are, in the format of the image. */
export const uploadImage: Step = {
  name: 'image',
  run: async ({ volume, backend: { driver }, images, signal, progress }) => {
    const { id, image, size } = volume;
    if (!driver.capabilities.images) throw errors.notCapable(id, driver.name, 'images');
    await withVolumeData(driver, volumeSpec(volume), { access: 'read', signal }, (path) =>
      sendToImage(images, { path, sizeBytes: sizeInBytes(size) }, image, { signal, progress }),
    );
  },
};

export const discardImage: Step = {
  name: 'discard',
  run: ({ volume, images }) => removeWithoutData(images, volume.image),
};
