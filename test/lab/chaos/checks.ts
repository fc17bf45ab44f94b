import type { NodeStorage } from '../../support/agreement.ts';
import { disagreements } from '../../support/agreement.ts';
import { until } from '../../support/until.ts';
import { type StorageCluster, group, stateDir } from '../storage-cluster.ts';

const lvName = /^volume-([0-9a-f-]{36})$/;
/** Processes of a daemon other than exports, one each. */
const helpers = ['node.*bin/blockstored\\.mjs', 'lvm$', 'perl .*launcher\\.pl'];

/** Objects of a storage node: logical volumes, vblades, files of exports, processes. */
export async function storageOf(
  cluster: StorageCluster,
  number: number,
  ids: ReadonlySet<string>,
): Promise<NodeStorage> {
  const node = cluster.node(number);
  const rows = (await node.sh(`lvs --noheadings --units b --nosuffix -o lv_name,lv_size,lv_tags ${group}`))
    .trim()
    .split('\n');
  const found = rows.map((row) => row.trim().split(/\s+/)).filter(([name]) => name !== '');
  const vblades = await cluster.vblades(number);
  return {
    node: node.name,
    volumes: found.flatMap(([name = '', size, tags = '']) => {
      const id = lvName.exec(name)?.[1];
      return id === undefined ? [] : [{ id, sizeBytes: Number(size), labels: addressIn(tags) }];
    }),
    exports: vblades.map((line) => {
      const [shelf, slot, , path = ''] = line.split(' ').slice(-4);
      return { id: path.split('/volume-')[1] ?? line, address: `e${shelf}.${slot}` };
    }),
    leftovers: [
      ...found.flatMap(([name = '']) => (lvName.test(name) ? [] : [`the logical volume ${name}`])),
      ...(await exportFiles(cluster, number)).filter((file) => !ids.has(file.split('.')[0] ?? '')),
      ...(await tooMany(cluster, number)),
    ],
  };
}

/** Returns all differences in Redis and on the storage nodes, including addresses with two exports. */
export async function allDisagreements(cluster: StorageCluster, storageNodes: number): Promise<string[]> {
  const ids = new Set((await cluster.records()).map(({ id }) => id));
  const numbers = Array.from({ length: storageNodes }, (_, index) => index + 1);
  const storages = await Promise.all(numbers.map((number) => storageOf(cluster, number, ids)));
  const exported = storages.flatMap(({ exports = [] }) => exports.map(({ address }) => address));
  const twice = exported.filter((number, index) => exported.indexOf(number) !== index);
  return [
    ...(await disagreements(cluster.store, storages)),
    ...twice.map((number) => `number ${number} is exported twice`),
  ];
}

async function exportFiles(cluster: StorageCluster, number: number): Promise<string[]> {
  return (await cluster.node(number).sh(`ls ${stateDir}/exports`)).split('\n').filter((file) => file !== '');
}

/** A child before its exec looks like a second daemon: only processes that remain count. */
async function tooMany(cluster: StorageCluster, number: number): Promise<string[]> {
  const count = async (pattern: string) => Number((await cluster.node(number).run(`pgrep -c -f '${pattern}'`)).output);
  const found: string[] = [];
  for (const pattern of helpers) {
    await until(async () => (await count(pattern)) <= 1, `one process "${pattern}"`).catch((error: unknown) => {
      found.push(String(error));
    });
  }
  return found;
}

function addressIn(tags: string): { address?: string } {
  const address = /blockstore:address=(e[\d.]+)/.exec(tags)?.[1];
  return address === undefined ? {} : { address };
}
