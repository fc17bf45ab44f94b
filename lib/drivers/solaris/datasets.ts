import { errors } from '../../errors.ts';
import { SanCommandError } from '../../san/shell.ts';
import type { SolarisCommands } from '../../san/solaris/commands.ts';
import { datasetOf } from '../../san/solaris/flags.ts';
import { type Labelled, labelProperty, nodeProperty, readLabels } from './labels.ts';

/** A ZFS volume with a name of ours. */
export interface Zvol {
  id: string;
  name: string;
  sizeBytes: number;
  /** Without its snapshots. */
  usedBytes: number;
  /** The snapshot that it is a clone of; '' = none. */
  origin: string;
  /** Undefined for one that is not labelled as this volume. */
  labelled: Labelled | undefined;
}

/** A snapshot of a volume with a name of ours. */
export interface ZvolSnapshot {
  /** `<volume>@<name>`. */
  fullName: string;
  /** The volume that has it: after a promotion another one than it is of. */
  zvol: string;
  /** After the @. */
  name: string;
  sizeBytes: number;
  /** It goes with the last clone of it, and is deleted for everybody else. */
  isDeferred: boolean;
  /** Undefined for one that is not labelled as this snapshot. */
  labelled: Labelled | undefined;
}

export interface Datasets {
  dataset: string;
  /** The node whose volumes are in the dataset; '' = nobody's yet. */
  node: string;
  totalBytes: number;
  availableBytes: number;
  volumes: readonly Zvol[];
  snapshots: readonly ZvolSnapshot[];
}

export const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';
const columns = [
  'name',
  'used',
  'available',
  'volsize',
  'usedbydataset',
  'usedbyrefreservation',
  'origin',
  'defer_destroy',
  nodeProperty,
  labelProperty,
];

/** Reads everything below the dataset of `base` by one command. Throws StorageUnusable, AnswerUnreadable. */
export async function readDatasets(commands: SolarisCommands, base: string): Promise<Datasets> {
  const dataset = datasetOf(base);
  const words = ['zfs', 'list', '-Hp', '-r', '-t', 'filesystem,volume,snapshot', '-o', columns.join(','), dataset];
  const rows = (await list(commands, words, dataset)).map((line) => readRow(line, words.join(' ')));
  const parent = rows.find(({ name }) => name === dataset);
  if (!parent) throw errors.answerUnreadable(words.join(' '), 'no row of the dataset itself');
  const volumes = rows.flatMap((row) => volumeIn(row, base));
  const sizes = new Map(volumes.map(({ name, sizeBytes }) => [name, sizeBytes]));
  return {
    dataset,
    node: parent.node,
    totalBytes: parent.used + parent.available,
    availableBytes: parent.available,
    volumes,
    snapshots: rows.flatMap((row) => snapshotIn(row, sizes)),
  };
}

async function list(commands: SolarisCommands, words: readonly string[], dataset: string): Promise<string[]> {
  try {
    return await commands.lines(words);
  } catch (error) {
    if (!(error instanceof SanCommandError) || !error.words.includes('does not exist')) throw error;
    const hint = `create it (zfs create ${dataset}), or correct san_zfs_volume_base`;
    throw errors.sanStorageAbsent(`ZFS dataset ${dataset}`, commands.shell.where, error.words.trim(), hint);
  }
}

interface Row {
  name: string;
  used: number;
  available: number;
  /** 0 = none. */
  size: number;
  usedBytes: number;
  origin: string;
  isDeferred: boolean;
  node: string;
  labelled: Labelled | undefined;
}

function readRow(line: string, command: string): Row {
  const values = line.split('\t').map((value) => (value === '-' ? '' : value));
  const [name = '', used, available, size, ofDataset, ofReservation, origin = '', deferred, node = '', labels = ''] =
    values;
  const numbers = [used, available, size, ofDataset, ofReservation].map((text) => Number(text));
  const [usedNumber = 0, availableNumber = 0, sizeNumber = 0, datasetNumber = 0, reservationNumber = 0] = numbers;
  if (values.length !== columns.length || name === '' || !numbers.every(Number.isSafeInteger)) {
    throw errors.answerUnreadable(command, line);
  }
  return {
    name,
    used: usedNumber,
    available: availableNumber,
    size: sizeNumber,
    usedBytes: datasetNumber + reservationNumber,
    origin,
    isDeferred: deferred === 'on',
    node,
    labelled: readLabels(labels),
  };
}

function volumeIn({ name, size, usedBytes, origin, labelled }: Row, base: string): Zvol[] {
  if (!name.startsWith(base)) return [];
  const [, id] = new RegExp(`^volume-(${uuid})$`).exec(name.slice(base.length)) ?? [];
  if (id === undefined) return [];
  return [{ id, name, sizeBytes: size, usedBytes, origin, labelled: labelled?.id === id ? labelled : undefined }];
}

function snapshotIn(
  { name: fullName, size, isDeferred, labelled }: Row,
  sizes: ReadonlyMap<string, number>,
): ZvolSnapshot[] {
  const [zvol = '', name] = fullName.split('@');
  const sizeBytes = sizes.get(zvol);
  if (name === undefined || sizeBytes === undefined) return [];
  const isOwn = labelled !== undefined && name === `snap-${labelled.id}`;
  return [
    {
      fullName,
      zvol,
      name,
      sizeBytes: size === 0 ? sizeBytes : size,
      isDeferred,
      labelled: isOwn ? labelled : undefined,
    },
  ];
}
