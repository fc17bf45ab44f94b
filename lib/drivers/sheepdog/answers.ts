/** Parsers of the raw output (-r) of dog. They return undefined for output that is not complete. */

/** A row of `dog vdi list -r`: an image, or a snapshot of one. */
export interface Image {
  kind: 'current' | 'snapshot' | 'clone';
  name: string;
  /** Empty for an image without snapshots. */
  tag: string;
  sizeBytes: number;
  /** Data of its own, and data that it shares with the image or snapshot it is made from. */
  usedBytes: number;
  sharedBytes: number;
  /** `3`, or with erasure coding `4:2`. */
  copies: string;
}

/** Raw bytes of all nodes together, before they are divided by the number of copies. */
export interface Space {
  totalBytes: number;
  freeBytes: number;
}

export interface ClusterState {
  /** Such as `running, auto-recovery enabled`. */
  status: string;
  isRunning: boolean;
  /** When the cluster was formatted, as ISO 8601; empty where the output does not say. */
  created: string;
}

const kinds: Readonly<Record<string, Image['kind']>> = { '=': 'current', s: 'snapshot', c: 'clone' };

/**
 * `<=|s|c> name id size used shared ctime vdi_id copies tag block_shift`. In a name each space, line feed and backslash has a backslash
 * before it; a tag is printed as it is, and can be empty.
 */
const row = /([=sc]) ((?:\\[\s\S]|[^\\\s])+) \d+ (\d+) (\d+) (\d+) \d+ [0-9a-f]+ (\d+(?::\d+)?) ([^\n]*) \d+\n/y;

export function parseImages(output: string): Image[] | undefined {
  const text = output === '' ? '' : `${output}\n`;
  const images: Image[] = [];
  row.lastIndex = 0;
  while (row.lastIndex < text.length) {
    const [, kind = '', name = '', size, used, shared, copies = '', tag = ''] = row.exec(text) ?? [];
    const known = kinds[kind];
    if (known === undefined) return undefined;
    images.push({
      kind: known,
      name: name.replaceAll(/\\([\s\S])/g, '$1'),
      tag,
      sizeBytes: Number(size),
      usedBytes: Number(used),
      sharedBytes: Number(shared),
      copies,
    });
  }
  return images;
}

/** `dog node info -r`: a row per node, then `Total size used avail use% virtual`. */
export function parseSpace(output: string): Space | undefined {
  const [, total, free] = /^Total (\d+) \d+ (\d+) -?\d+% \d+$/m.exec(output) ?? [];
  return total === undefined ? undefined : { totalBytes: Number(total), freeBytes: Number(free) };
}

/** `dog cluster info`, whose times are in UTC. */
export function parseCluster(output: string): ClusterState | undefined {
  const [, status] = /^Cluster status: (.+)$/m.exec(output) ?? [];
  if (status === undefined) return undefined;
  const [, created = ''] = /^Cluster created at (.+)$/m.exec(output) ?? [];
  const time = Date.parse(`${created} UTC`);
  return {
    status,
    isRunning: /^running\b/.test(status),
    created: Number.isNaN(time) ? '' : new Date(time).toISOString(),
  };
}
