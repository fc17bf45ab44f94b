import type { Image } from '../../lib/images/image.ts';
import { byteSize } from '../../lib/format-bytes.ts';
import type { Column } from '../table.ts';

/** Returns an image in the form of --json: all fields are present, null when unset. */
export function imageJson({
  id,
  name,
  status,
  diskFormat,
  containerFormat,
  sizeBytes,
  checksum,
  minDisk,
}: Image): object {
  return {
    id,
    name: name || null,
    status,
    diskFormat: diskFormat || null,
    containerFormat: containerFormat || null,
    sizeBytes: sizeBytes ?? null,
    checksum: checksum ?? null,
    minDisk,
  };
}

export const imageColumns: readonly Column<Image>[] = [
  { title: 'ID', text: (image) => image.id },
  { title: 'NAME', text: (image) => image.name, maxWidth: 32 },
  { title: 'FORMAT', text: (image) => image.diskFormat },
  { title: 'SIZE', text: sizeText, right: true },
  { title: 'STATUS', text: (image) => image.status },
];

export function imageFacts(image: Image): [string, string][] {
  const { checksum, minDisk } = image;
  return [
    ['id', image.id],
    ['name', image.name],
    ['status', image.status],
    ['format', image.diskFormat],
    ['container', image.containerFormat],
    ['size', sizeText(image)],
    ['checksum', checksum === undefined ? '' : `${checksum.algorithm} ${checksum.digest}`],
    ['smallest volume', minDisk === 0 ? '' : `${minDisk} GiB`],
  ];
}

function sizeText({ sizeBytes }: Image): string {
  return sizeBytes === undefined ? '' : byteSize(sizeBytes);
}
