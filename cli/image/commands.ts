import { type Command, Option } from 'commander';
import { imageFormats } from '../../lib/images/formats/names.ts';
import { checkVolumeName } from '../../lib/models/check-text.ts';
import { atLeastOne, minDiskOf, textOf, uuid } from '../arguments.ts';
import { Context } from '../context.ts';
import { withWaitOptions } from '../volume/commands.ts';
import type { CreateImageOptions } from './create.ts';
import type { ImportOptions } from './import.ts';
import type { ListImagesOptions } from './list.ts';

export function addImageCommands(program: Command): void {
  const image = program
    .command('image')
    .helpCommand(false)
    .description('make, list, import and delete images that volumes are made from');
  addReading(image);
  addCreate(image);
  addImport(image);
  addDelete(image);
}

function addReading(image: Command): void {
  image
    .command('list')
    .description('list images')
    .option('--limit <n>', 'print at most n images, then a marker', atLeastOne)
    .option('--marker <marker>', 'continue after the marker of an earlier list', textOf('marker'))
    .addHelpText('after', '\nExample:\n  blockstore image list')
    .action(async (options: ListImagesOptions, command: Command) => {
      const { listImages } = await import('./list.ts');
      await listImages(Context.of(command), options);
    });
  image
    .command('show')
    .description('print the details of an image')
    .argument('<image>', 'id or name')
    .addHelpText('after', '\nExample:\n  blockstore image show debian-12')
    .action(async (reference: string, _options: object, command: Command) => {
      const { showImage } = await import('./show.ts');
      await showImage(Context.of(command), reference);
    });
}

function addCreate(image: Command): void {
  withWaitOptions(image.command('create'))
    .description('make an image of a volume, detached or as a snapshot has it, and print its id')
    .argument('<volume>', 'id, name, or beginning of an id')
    .addOption(new Option('--format <format>', 'format of the image').choices(imageFormats).default('qcow2'))
    .option('--name <name>', 'name of the image (default: that of the volume)', checkVolumeName)
    .option('--min-disk <GiB>', 'smallest volume that may be made from it (default: that of the volume)', minDiskOf)
    .option('--snapshot <snapshot>', 'of this snapshot of the volume: id, name, or beginning of an id')
    .option('--force', 'of an attached volume: as it is at one moment, by a snapshot that is deleted at the end')
    .option('--id <uuid>', 'id of the image; repeating the command with the same id makes no second one', uuid)
    .addHelpText('after', '\nExample:\n  blockstore image create root --name golden')
    .action(async (reference: string, options: CreateImageOptions, command: Command) => {
      const { createImage } = await import('./create.ts');
      await createImage(Context.of(command), reference, options);
    });
}

function addImport(image: Command): void {
  image
    .command('import')
    .description('make an image of a file and print its id')
    .argument('<file>', 'file with the data of the image, whole')
    .addOption(
      new Option('--format <format>', 'format of the data, which is never guessed')
        .choices(imageFormats)
        .makeOptionMandatory(),
    )
    .option('--name <name>', 'name of the image (default: that of the file)', checkVolumeName)
    .option('--min-disk <GiB>', 'smallest volume that may be made from it', minDiskOf)
    .option('--id <uuid>', 'id of the image; a repeated import with the same id continues where it has no data', uuid)
    .addHelpText('after', '\nExample:\n  blockstore image import debian-12.qcow2 --format qcow2 --name debian-12')
    .action(async (file: string, options: ImportOptions, command: Command) => {
      const { importImage } = await import('./import.ts');
      await importImage(Context.of(command), file, options);
    });
}

function addDelete(image: Command): void {
  image
    .command('delete')
    .description('delete images; volumes made from them keep their data')
    .argument('<image...>', 'ids or names')
    .addHelpText('after', '\nExample:\n  blockstore image delete debian-11')
    .action(async (references: readonly string[], _options: object, command: Command) => {
      const { deleteImages } = await import('./delete.ts');
      await deleteImages(Context.of(command), references);
    });
}
