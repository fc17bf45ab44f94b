const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Returns bytes as "512 GiB" or "1.5 TiB", rounded down, so that free space is never overstated. */
export function byteSize(bytes: number): string {
  let power = 0;
  let value = bytes;
  for (; value >= 1024 && power < units.length - 1; power += 1) value /= 1024;
  return `${value < 10 && power > 0 ? Math.floor(value * 10) / 10 : Math.floor(value)} ${units[power]}`;
}
