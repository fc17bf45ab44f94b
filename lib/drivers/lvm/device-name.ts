/** Returns the name in /dev/mapper of `group/volume`: group-volume, each hyphen inside either doubled. */
export function deviceName(name: string): string {
  return name
    .split('/')
    .map((part) => part.replaceAll('-', '--'))
    .join('-');
}
