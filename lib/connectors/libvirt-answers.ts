import { errors } from '../errors.ts';
import { type Element, descendants, parseXml } from '../xml.ts';
import { type Disks, targetOf } from './disks.ts';

/**
 * Returns the disks in the XML of a domain, as libvirt itself writes it. Throws AnswerUnreadable with that hint where it is not complete:
 * a disk that was left out would be taken for absent.
 */
export function disksIn(xml: string, hint?: string): Disks {
  const domain = parseXml(xml);
  if (domain?.name !== 'domain') throw errors.answerUnreadable('virsh dumpxml', xml, hint);
  return disksOf(domain);
}

/**
 * Returns the disks of several domains, by UUID, from the XML of their definitions and of their states one after the other: each domain
 * has the disks of all of its texts. Throws AnswerUnreadable with that hint.
 */
export function disksOfDomains(text: string, hint?: string): Map<string, Disks[]> {
  const found = new Map<string, Disks[]>();
  for (const [xml] of text.matchAll(/^<domain\b.*?^<\/domain>$/gms)) {
    const domain = parseXml(xml);
    if (domain === undefined) throw errors.answerUnreadable('virsh dumpxml', xml, hint);
    const uuid = domain.children.find(({ name }) => name === 'uuid')?.text ?? '';
    found.set(uuid, [...(found.get(uuid) ?? []), disksOf(domain)]);
  }
  return found;
}

/**
 * Returns the disk with that source in a domain to which a snapshot returns, from the XML of the snapshot. Throws AnswerUnreadable with
 * that hint.
 */
export function targetInSnapshot(xml: string, source: string, hint?: string): string | undefined {
  const { children } = snapshotIn(xml, hint);
  const domains = children.filter(({ name }) => name === 'domain' || name === 'inactiveDomain');
  const targets = domains.map((domain) => targetOf(disksOf(domain), source));
  return targets.find((target) => target !== undefined);
}

/**
 * Whether the snapshot with that XML left the disk with that target as it was, and had the guest write to an overlay. Throws
 * AnswerUnreadable with that hint.
 */
export function isExternalIn(xml: string, target: string, hint?: string): boolean {
  const disks = descendants(snapshotIn(xml, hint), 'disk');
  return disks.some(({ attributes: { name, snapshot } }) => name === target && snapshot === 'external');
}

function snapshotIn(xml: string, hint: string | undefined): Element {
  const snapshot = parseXml(xml);
  if (snapshot === undefined) throw errors.answerUnreadable('virsh snapshot-dumpxml', xml, hint);
  return snapshot;
}

function disksOf(domain: Element): Disks {
  return new Map(
    descendants(domain, 'disk').map((disk) => {
      const [target] = descendants(disk, 'target');
      const sources = descendants(disk, 'source').flatMap(({ attributes: { dev, file, name, volume } }) => {
        const source = dev ?? file ?? name ?? volume;
        return source === undefined ? [] : [source];
      });
      return [target?.attributes['dev'] ?? '', sources];
    }),
  );
}
