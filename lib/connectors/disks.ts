/** The sources of each disk of a domain, by its target: its own, then those that it is backed by. Empty where there is no medium. */
export type Disks = ReadonlyMap<string, readonly string[]>;

/** Returns the disk with that source. A snapshot that libvirt takes of a disk has the device below it. */
export function targetOf(disks: Disks, source: string): string | undefined {
  return [...disks].find(([, sources]) => sources.includes(source))?.[0];
}
