import { hostname } from 'node:os';
import { drivers } from '../drivers/registry.ts';
import { parseEndpoint, parseHost, parseRedisUrl } from '../redis/url.ts';
import { isNodeName, nodeNameRule } from '../models/node-name.ts';
import { reachableAddress } from './reachable-address.ts';
import { sanFlags } from '../san/flags.ts';
import { targets } from '../targets/registry.ts';
import {
  type Definition,
  type ValuesOf,
  absolutePath,
  flag,
  listOf,
  oneOf,
  parsedBy,
  text,
  whole,
  yesNo,
} from './flag.ts';
import { apiFlags } from './api-flags.ts';
import { backendNameRule, isBackendName } from './backend-name.ts';
import { mergeFlags } from './merge.ts';
import { keystoneFlags } from './keystone-flags.ts';
import { monitoringFlags } from './monitoring-flags.ts';

const nodeName = text.refine(isNodeName, nodeNameRule);

/** Names are those of the 2010 BlockStore where it had one. */
const nodeFlags = {
  storage_name: flag(nodeName, () => hostname(), 'name of this node in the cluster; one daemon at a time can hold it'),
  storage_availability_zone: flag(
    text.min(1, 'must not be empty'),
    'nova',
    'availability zone of the volumes of this node',
  ),
  fake_storage: flag(
    yesNo,
    false,
    'use neither storage nor network: the same as volume_driver=fake and volume_target=none',
  ),
  num_shell_tries: flag(
    whole(1, 10),
    3,
    'attempts of a step that fails transiently; n² seconds after the n-th attempt',
  ),
  max_operations: flag(whole(1, 1000), 64, 'maximum number of concurrent operations on different volumes'),
  export_unattached: flag(
    yesNo,
    false,
    'export volumes as long as they exist, to every host, as the 2010 BlockStore did; false: only while they are attached',
  ),
  volume_topic: flag(
    text.regex(/^[a-z][a-z0-9_-]*$/, 'must be lower-case letters, digits, dashes'),
    'volume',
    'name of the topic that commands are sent to',
  ),
  report_interval: flag(whole(1, 3600), 10, 'time between two reports of this node', { unit: 'seconds' }),
  node_down_time: flag(whole(2, 86_400), 60, 'age of the last report after which a node is down and its name is free', {
    unit: 'seconds',
  }),
  stop_timeout: flag(
    whole(0, 600),
    30,
    'time that a stop waits for operations under way; the rest resume at the next start',
    { unit: 'seconds' },
  ),
  state_dir: flag(
    absolutePath,
    '/var/lib/blockstore',
    "directory of the daemon's state: identity, LVM configuration, running exports",
  ),
};

/** For the daemon, which writes and reads backups, and for the command line, which lists them. */
const backupFlags = {
  backup_directory: flag(
    absolutePath,
    '/var/lib/blockstore/backups',
    'directory of the backups, on other storage than the volumes; all nodes share it',
  ),
  backup_s3_url: flag(
    text.refine(
      (value) => value === '' || isBucketUrl(value),
      'must be an address with a bucket, such as https://s3:7480/backups',
    ),
    '',
    'bucket for the backups, of a service that speaks the S3 protocol, also with the beginning of the names of objects; empty: backup_directory',
  ),
  backup_s3_region: flag(text, 'us-east-1', 'region of the bucket'),
  backup_s3_key_file: flag(
    text,
    '',
    'file with the access key and the secret key of the bucket, separated by a space or a line end, read anew for each request',
  ),
};

/** For the migration of volumes to other nodes. */
const migrationFlags = {
  migration_ip_address: flag(
    reachableAddress({ also: '' }),
    '',
    'address of this node that migrations to it are received at; empty: that of its connection to Redis',
  ),
  migration_port: flag(
    whole(0, 65_535),
    0,
    'TCP port for migrations to this node, which is open while there are any; 0: one that is free',
  ),
  migration_rate: flag(whole(0, 1_000_000), 0, 'rate at which this node sends a migration, at most; 0: no limit', {
    unit: 'MiB/s',
  }),
  migration_stall: flag(
    whole(1, 150),
    60,
    'longest time that the hosts of an attached volume wait for the last data of its migration',
    { unit: 'seconds' },
  ),
};

const backendFlags = {
  enabled_backends: flag(
    listOf(isBackendName, backendNameRule),
    [],
    'names of the backends, each with a section [name]; empty: one backend, configured by the flags outside sections',
    { nodeWide: true },
  ),
  volume_driver: flag(
    oneOf(...drivers.map(({ name }) => name)),
    'lvm',
    'storage of the volumes: LVM, sparse files, Ceph RBD, a Sheepdog cluster, ZFS of a Solaris host, HP LeftHand, or none (fake)',
  ),
  volume_target: flag(
    oneOf(...targets.map(({ name }) => name)),
    'aoe',
    'export of the volumes: ATA over Ethernet, iSCSI by tgt, by the kernel (LIO) or by the SAN that has them, NVMe over TCP by the kernel (nvmet); hosts reach rbd and sheepdog themselves; or none',
  ),
};

/** For the daemon, which copies images, and for the command line, which lists them. */
const imageFlags = {
  image_url: flag(
    text.refine((value) => value === '' || isHttpUrl(value), 'must be an address such as http://images:9292'),
    '',
    'image service that speaks the Images v2 API, such as Glance; empty: the images of image_directory',
  ),
  encryption_key_file: flag(
    text,
    '',
    'file with the key of the cluster for encrypted volumes, at least 32 bytes, on each host that attaches them',
  ),
  image_token_file: flag(text, '', 'file with the token that the image service asks for, read anew for each request'),
  image_directory: flag(
    absolutePath,
    '/var/lib/blockstore/images',
    'directory of the images where there is no image service; nodes that are to have the same images share it',
  ),
  image_cache_gib: flag(
    whole(0, 100_000),
    20,
    'images that a node keeps in its state_dir for the next volume; one in use stays, whatever its size',
    { unit: 'GiB' },
  ),
};

/** Other characters would have several forms in requests. */
function isBucketUrl(value: string): boolean {
  const url = URL.parse(value);
  const isPlain = url?.search === '' && url.hash === '' && url.username === '' && url.password === '';
  return isPlain && isHttpUrl(value) && /^(\/[A-Za-z0-9._-]+)+\/?$/.test(url.pathname);
}

function isHttpUrl(value: string): boolean {
  return /^https?:$/.test(URL.parse(value)?.protocol ?? '');
}

const endpointRule = 'must be host, host:port or [IPv6 address]:port, separated by commas';

function isEndpoint(item: string): boolean {
  try {
    return parseEndpoint(item, 1).port > 0;
  } catch {
    return false;
  }
}

const redisFlags = {
  redis_host: flag(parsedBy(parseHost), '127.0.0.1', 'Redis host'),
  redis_port: flag(whole(1, 65_535), 6379, 'Redis port'),
  redis_db: flag(whole(0, 1_000_000), 0, 'Redis database number'),
  redis_url: flag(
    parsedBy(parseRedisUrl),
    '',
    'address of Redis in place of host, port and db: redis://[user:password@]host[:port][/db], rediss://… for TLS, unix:/path/of/socket',
    { secret: true },
  ),
  redis_user: flag(text, '', 'Redis user (ACL)'),
  redis_password: flag(text, '', 'Redis password', { secret: true }),
  redis_tls: flag(yesNo, false, 'use TLS for Redis'),
  redis_tls_ca: flag(text, '', "file with the certificate authority of Redis; empty: the system's"),
  redis_sentinels: flag(listOf(isEndpoint, endpointRule), [], 'Sentinels that monitor the primary, host:port,…'),
  redis_sentinel_name: flag(text, 'mymaster', 'name of the primary at the Sentinels'),
  redis_cluster: flag(
    listOf(isEndpoint, endpointRule),
    [],
    'nodes of a Redis Cluster in place of host and port, host:port,…',
  ),
  redis_prefix: flag(
    text.regex(/^[A-Za-z0-9_.-]+$/, 'must be letters, digits, dots, dashes'),
    'blockstore',
    'first part of every key; separates several clusters in one Redis',
  ),
  redis_min_replicas: flag(
    whole(0, 10),
    0,
    'number of replicas that must have a change before it is acknowledged (WAIT)',
  ),
};

const logFlags = {
  log_level: flag(oneOf('error', 'warn', 'info', 'debug'), 'info', 'lowest level that is logged'),
  log_format: flag(
    oneOf('auto', 'human', 'json', 'journald'),
    'auto',
    'format of the log; auto: human on a terminal, journald under systemd, else JSON lines',
  ),
};

/** Every flag of every part. Those of a driver or a target are defined in its folder. */
export const definitions = {
  ...nodeFlags,
  ...backendFlags,
  ...mergeFlags(drivers),
  ...mergeFlags(targets),
  ...imageFlags,
  ...backupFlags,
  ...migrationFlags,
  ...apiFlags,
  ...keystoneFlags,
  ...monitoringFlags,
  ...redisFlags,
  ...logFlags,
};

export type FlagName = keyof typeof definitions;
export type Flags = ValuesOf<typeof definitions>;

export function isFlagName(name: string): name is FlagName {
  return Object.hasOwn(definitions, name);
}

/** Returns the flag that is meant: dashes and underscores are the same. */
export function flagNameOf(spelling: string): FlagName | undefined {
  const plain = spelling.replaceAll('-', '_');
  return isFlagName(plain) ? plain : undefined;
}

const sectionFlags: Readonly<Record<string, Definition<unknown>>> = {
  ...backendFlags,
  ...mergeFlags(drivers),
  ...mergeFlags(targets),
};

/** Whether a backend may have a value of its own. */
export function isSectionFlag(name: string): boolean {
  return Object.hasOwn(sectionFlags, name) && sectionFlags[name]?.nodeWide === false;
}

/** Those that share their flags are one group. */
function flagSets(kinds: readonly { name: string; flags: object }[], title: string) {
  const sets = new Map<object, string[]>();
  for (const { name, flags } of kinds) sets.set(flags, [...(sets.get(flags) ?? []), name]);
  return Array.from(sets, ([flags, names]) => ({
    title: `${title}${names.length > 1 ? 's' : ''} ${names.join(', ')}`,
    names: Object.keys(flags),
  }));
}

interface FlagGroup {
  title: string;
  names: readonly string[];
}

/** In the order of help texts and samples. */
export const flagGroups: readonly FlagGroup[] = eachOnce([
  { title: 'This node', names: Object.keys(nodeFlags) },
  { title: 'Storage and exports', names: Object.keys(backendFlags) },
  { title: 'Storage that is controlled over SSH', names: Object.keys(sanFlags) },
  ...flagSets(drivers, 'Driver'),
  ...flagSets(targets, 'Target'),
  { title: 'Images', names: Object.keys(imageFlags) },
  { title: 'Backups', names: Object.keys(backupFlags) },
  { title: 'Migration', names: Object.keys(migrationFlags) },
  { title: 'API', names: Object.keys(apiFlags) },
  { title: 'Identity service of the API', names: Object.keys(keystoneFlags) },
  { title: 'Monitoring', names: Object.keys(monitoringFlags) },
  { title: 'Redis', names: Object.keys(redisFlags) },
  { title: 'Log', names: Object.keys(logFlags) },
]);

/** Drivers and targets share flags: each is in its first group only. */
function eachOnce(groups: readonly FlagGroup[]): FlagGroup[] {
  const seen = new Set<string>();
  return groups.map(({ title, names }) => {
    const own = names.filter((name) => !seen.has(name));
    for (const name of own) seen.add(name);
    return { title, names: own };
  });
}
