import { formatAddress } from '../../lib/aoe/address.ts';
import type { Labels } from '../../lib/drivers/driver.ts';

/** What a simulated cluster consists of. */
export interface Layout {
  nodes: number;
  /** Volumes of each node. */
  perNode: number;
}

/** The default of `slots_per_shelf`. */
const slotsPerShelf = 16;

export const backendName = 'fake';

export function nodeName(node: number): string {
  return `node-${String(node).padStart(4, '0')}`;
}

/** A volume that exists before the nodes start: the same in its record and on storage. */
export interface PresentVolume {
  id: string;
  project: string;
  address: string;
  /** Milliseconds since the epoch. */
  createTime: string;
  labels: Labels;
}

const projects = 100;
const firstCreateTime = Date.UTC(2026, 0, 1);

/** The volume with that number of a node, both from 0. Its id is a UUID, its address on a shelf of that node alone. */
export function presentVolume(node: number, number: number, { perNode }: Layout): PresentVolume {
  const shelvesPerNode = Math.ceil(perNode / slotsPerShelf);
  const shelf = 1 + node * shelvesPerNode + Math.floor(number / slotsPerShelf);
  const address = formatAddress({ shelf, slot: number % slotsPerShelf });
  // Spread over the whole range, as random ids are.
  const first = Math.imul(node * perNode + number + 1, 0x9e_37_79_b1) >>> 0;
  const digits = (value: number, length: number) => value.toString(16).padStart(length, '0');
  const id = `${digits(first, 8)}-0000-4000-8000-${digits(node * perNode + number, 12)}`;
  const project = `project-${number % projects}`;
  const createTime = String(firstCreateTime + node * perNode + number);
  const labels = { user: 'bench-user', project, size: '1', created: createTime, address };
  return { id, project, address, createTime, labels };
}
