import { hostname } from 'node:os';
import { z } from 'zod';

/**
 * Every flag: the shape of its value, its default, its unit and what it means. Names are those of the 2010 BlockStore
 * where it had one. Values arrive as text.
 */
interface Definition<T> {
  schema: z.ZodType<T>;
  initial: () => T;
  unit: string;
  meaning: string;
  secret: boolean;
}

type Extra = { unit?: string; secret?: boolean };

function flag<T>(
  schema: z.ZodType<T>,
  initial: NoInfer<T> | (() => NoInfer<T>),
  meaning: string,
  extra: Extra = {},
): Definition<T> {
  return {
    schema,
    initial: () => (initial instanceof Function ? initial() : initial),
    unit: extra.unit ?? '',
    meaning,
    secret: extra.secret ?? false,
  };
}

const text = z.string('must be text');
const optionalText = text;
const absolutePath = text.regex(/^\//, 'must be an absolute path');

function whole(least: number, most: number) {
  const wanted = `must be a whole number from ${least} to ${most}`;
  return numeric(wanted).pipe(z.int(wanted).min(least, wanted).max(most, wanted));
}

/** Text that is a plain decimal number: an empty value is not taken for 0. */
function numeric(wanted: string) {
  return z
    .string()
    .regex(/^-?\d+(\.\d+)?$/, wanted)
    .transform(Number);
}

/** -1 stands for "not set": a flag always has a value that can be printed and written to a file. */
const optionalWhole = (most: number) => whole(-1, most);

const yesNo = z.union(
  [
    z.literal(['true', 'yes', 'on', '1', '']).transform(() => true),
    z.literal(['false', 'no', 'off', '0']).transform(() => false),
  ],
  'must be true or false',
);

const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);

function oneOf<const T extends readonly [string, ...string[]]>(...values: T) {
  return z.enum(values, `must be one of ${values.join(', ')}`);
}

const nodeName = text.regex(
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/,
  'must be 1 to 63 letters, digits, dots, dashes or underscores',
);

export const definitions = {
  storage_name: flag(nodeName, () => hostname(), 'name of this node in the cluster; one daemon may hold it at a time'),
  storage_availability_zone: flag(
    text.min(1, 'must not be empty'),
    'nova',
    'availability zone that volumes of this node are in',
  ),
  volume_driver: flag(
    oneOf('lvm', 'file', 'fake'),
    'lvm',
    'where data is kept: LVM volumes, sparse files, or nowhere (fake)',
  ),
  volume_target: flag(oneOf('aoe', 'none'), 'aoe', 'how volumes are exported: by ATA over Ethernet, or not at all'),
  fake_storage: flag(
    yesNo,
    false,
    'touch no storage and no network: stands for volume_driver=fake, volume_target=none',
  ),
  fake_storage_bytes: flag(whole(0, Number.MAX_SAFE_INTEGER), 2 ** 50, 'how much room the fake driver claims to have', {
    unit: 'bytes',
  }),
  storage_dev: flag(
    list,
    [],
    'block devices of the volume group; LVM looks at no other. Empty: the devices that the group has',
  ),
  storage_create: flag(yesNo, false, 'make the volume group on storage_dev when it is not there'),
  volume_group: flag(
    text.regex(/^[A-Za-z0-9_.+][A-Za-z0-9_.+-]*$/, 'must be an LVM name'),
    'nova-volumes',
    'LVM volume group that holds the volumes',
  ),
  volume_clear: flag(oneOf('zero', 'discard', 'none'), 'zero', 'what becomes of the data of a deleted volume'),
  volume_clear_mibps: flag(whole(0, 1_000_000), 100, 'most that wiping may write per second and volume; 0: no limit', {
    unit: 'MiB/s',
  }),
  volume_pool_dir: flag(absolutePath, '/var/lib/blockstore/volumes', 'directory of the file driver'),
  num_shell_tries: flag(whole(1, 10), 3, 'attempts of a command that may pass by itself; between them tries² seconds'),
  max_operations: flag(whole(1, 1000), 64, 'operations on different volumes that this node carries out side by side'),
  aoe_eth_dev: flag(
    text.regex(/^[^/\s]{1,15}$/, 'must be the name of a network interface'),
    'eth0',
    'network interface that AoE exports are seen on',
  ),
  aoe_durability: flag(
    oneOf('sync', 'direct', 'cached'),
    'sync',
    'what a power loss may take: nothing acknowledged (sync), what the disk caches (direct), what the page cache holds (cached)',
  ),
  first_shelf_id: flag(
    optionalWhole(65_534),
    -1,
    'first AoE shelf that this node may take; -1: the next free one in the cluster',
  ),
  last_shelf_id: flag(optionalWhole(65_534), -1, 'last AoE shelf that this node may take; -1: no bound'),
  slots_per_shelf: flag(whole(1, 255), 16, 'volumes per shelf'),
  volume_topic: flag(
    text.regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case letters, digits, dashes'),
    'volume',
    'name of the topic that commands come by',
  ),
  report_interval: flag(whole(1, 3600), 10, 'time between two reports of this node', { unit: 's' }),
  node_down_time: flag(whole(2, 86_400), 60, 'a node unheard for so long is down, and its name is free', { unit: 's' }),
  stop_timeout: flag(
    whole(0, 600),
    30,
    'how long a stop waits for operations under way; what has not ended goes on at the next start',
    { unit: 's' },
  ),
  state_dir: flag(
    absolutePath,
    '/var/lib/blockstore',
    'what the daemon keeps on this node: its identity, LVM configuration, running exports',
  ),
  redis_host: flag(text, '127.0.0.1', 'Redis host'),
  redis_port: flag(whole(1, 65_535), 6379, 'Redis port'),
  redis_db: flag(whole(0, 1_000_000), 0, 'Redis database number'),
  redis_url: flag(
    optionalText,
    '',
    'in place of host, port and db: redis://[user:password@]host[:port][/db], rediss://… for TLS, unix:/path/of/socket',
    { secret: true },
  ),
  redis_user: flag(optionalText, '', 'Redis user (ACL)'),
  redis_password: flag(optionalText, '', 'Redis password', { secret: true }),
  redis_tls: flag(yesNo, false, 'speak TLS to Redis'),
  redis_tls_ca: flag(optionalText, '', "file with the certificate authority of Redis; empty: the system's"),
  redis_sentinels: flag(list, [], 'Sentinels to ask for the primary, host:port,…'),
  redis_sentinel_name: flag(text, 'mymaster', 'name of the primary at the Sentinels'),
  redis_cluster: flag(
    list,
    [],
    'in place of host and port: nodes of a Redis Cluster to ask where the records are, host:port,…',
  ),
  redis_prefix: flag(
    text.regex(/^[A-Za-z0-9_.-]+$/, 'must be letters, digits, dots, dashes'),
    'blockstore',
    'first part of every key; a cell of its own for each prefix',
  ),
  redis_min_replicas: flag(whole(0, 10), 0, 'replicas that must have a change before it is acknowledged (WAIT)'),
  log_level: flag(oneOf('error', 'warn', 'info', 'debug'), 'info', 'least level that is logged'),
  log_format: flag(
    oneOf('auto', 'human', 'json', 'journald'),
    'auto',
    'form of the log; auto: human on a terminal, journald under systemd, else JSON lines',
  ),
};

export type Definitions = typeof definitions;
export type FlagName = keyof Definitions;
export type Flags = { [Name in FlagName]: z.infer<Definitions[Name]['schema']> };
