const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** "512 GiB", "1.5 TiB": rounded down, so that no more is said to be free than is. */
export function byteSize(bytes: number): string {
  let power = 0;
  let value = bytes;
  for (; value >= 1024 && power < units.length - 1; power += 1) value /= 1024;
  return `${value < 10 && power > 0 ? Math.floor(value * 10) / 10 : Math.floor(value)} ${units[power]}`;
}
