import { errors } from '../errors.ts';

/** The sources of each disk, by its target: its own, then those that it is backed by. Empty where there is no medium. */
export type Disks = ReadonlyMap<string, readonly string[]>;

/**
 * Returns the disks in the XML of a domain, as libvirt itself writes it. Throws AnswerUnreadable with that hint where its end is
 * missing: a disk that was left out would be taken for absent.
 */
export function disksIn(xml: string, hint?: string): Disks {
  if (!/<\/domain>\s*$/.test(xml)) throw errors.answerUnreadable('virsh dumpxml', xml, hint);
  const disks = xml.match(/<disk\b.*?<\/disk>/gs) ?? [];
  return new Map(
    disks.map((disk) => [
      attributes(disk, 'target', 'dev')[0] ?? '',
      attributes(disk, 'source', 'dev|file|name|volume'),
    ]),
  );
}

/** Returns the disk with that source. A snapshot that libvirt takes of a disk has the device below it. */
export function targetOf(disks: Disks, devicePath: string): string | undefined {
  return [...disks].find(([, sources]) => sources.includes(devicePath))?.[0];
}

function attributes(xml: string, element: string, name: string): string[] {
  const pattern = new RegExp(`<${element}\\b[^>]*\\s(?:${name})='([^']*)'`, 'g');
  return Array.from(xml.matchAll(pattern), ([, value = '']) => value);
}

/**
 * Returns the disks of several domains, by UUID, from the XML of their definitions and of their states one after the other: each domain
 * has the disks of all of its texts. Throws AnswerUnreadable with that hint.
 */
export function disksOfDomains(text: string, hint?: string): Map<string, Disks[]> {
  const found = new Map<string, Disks[]>();
  for (const [xml] of text.matchAll(/^<domain\b.*?^<\/domain>$/gms)) {
    const uuid = /^ {2}<uuid>(.*)<\/uuid>$/m.exec(xml)?.[1] ?? '';
    found.set(uuid, [...(found.get(uuid) ?? []), disksIn(xml, hint)]);
  }
  return found;
}

/** Returns the disk with that source in a domain to which a snapshot returns, from the XML of the snapshot. */
export function targetInSnapshot(xml: string, source: string, hint?: string): string | undefined {
  const domains = xml.match(/<(domain|inactiveDomain)\b.*?<\/\1>/gs) ?? [];
  const targets = domains.map((domain) => {
    const definition = domain.replaceAll(/(?<=^<|<\/)inactiveDomain\b/g, 'domain');
    return targetOf(disksIn(definition, hint), source);
  });
  return targets.find((target) => target !== undefined);
}

/** Whether the snapshot with that XML left the disk with that target as it was, and had the guest write to an overlay. */
export function isExternalIn(xml: string, target: string): boolean {
  return new RegExp(`<disk\\b[^>]*\\sname='${target}'[^>]*\\ssnapshot='external'`).test(xml);
}
