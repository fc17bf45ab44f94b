import { randomBytes } from 'node:crypto';
import { appendFile, chmod, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { connect } from '../../lib/redis/connection.ts';
import { bundled } from '../support/bundle.ts';
import { newAuthority, newCertificate } from '../support/certificates.ts';
import { FakeIdentity } from '../support/fake-identity.ts';
import { freePort } from '../support/free-port.ts';
import { RedisServer } from '../support/redis-server.ts';
import { CliPlace } from './place.ts';

async function configure({ url }: RedisServer, name: string, value: string): Promise<void> {
  const connection = await connect(loadFlags({ embedded: { redis_url: url } }).flags, silentLog);
  await connection.redis.config('SET', name, value);
  await connection.close();
}

let place: CliPlace;
/** An lvm whose group has these disks. */
function lvmWith(...disks: string[]): string {
  const rows = disks.map((pv_name) => ({
    pv_name,
    pv_uuid: 'p',
    pv_missing: '',
    pv_duplicate: '',
    vg_name: 'nova-volumes',
    vg_uuid: 'v',
    vg_exported: '',
    vg_systemid: '',
    vg_lock_type: '',
  }));
  const figures = {
    vg_size: '1099511627776',
    vg_free: '549755813888',
    vg_extent_size: '4194304',
    vg_mda_free: '1',
    vg_missing_pv_count: '0',
    vg_tags: '',
  };
  const answer = (report: object) => JSON.stringify({ report: [report], log: [] }, undefined, 2);
  return `case $1 in\npvs) cat <<END\n${answer({ pv: rows })}\nEND\n;; vgs) cat <<END\n${answer({ vg: [figures] })}\nEND\nesac`;
}

test.beforeEach(async () => {
  place = await CliPlace.start();
  await place.fakeProgram('sudo', 'shift; exec "$@"');
  await place.fakeProgram('lvm', lvmWith('/dev/sdx'));
  await place.fakeProgram('vblade', 'echo "vblade: no/interface: No such device" >&2; exit 1');
  await place.fakeProgram('modinfo', 'exit 0');
  await mkdir(place.file('state'), { mode: 0o700 });
  await writeFile(place.file('blockstore.conf'), 'aoe_eth_dev = lo\nstorage_name = n1\n', { mode: 0o600 });
});
test.afterEach.always(() => place.close());

test.serial('a complete storage node with a running daemon passes all checks', async (t) => {
  await place.daemon('n1');
  const { exitCode, stdout } = await place.run('doctor', '--role', 'storage');
  t.is(exitCode, 0, stdout);
  t.notRegex(stdout, /^(bad|warn)/m);
  for (const line of [
    /^ok +configuration \//m,
    /^ok +Redis at .* answers in \d+\.\d ms$/m,
    /^ok +Redis has an append-only file$/m,
    /^ok +Redis evicts no keys$/m,
    /^ok +the clocks of this host and Redis differ by 0\.\d s$/m,
    /^ok +node n1 is up, last seen \d+ s ago$/m,
    /^ok +state directory /m,
    /^ok +volume group nova-volumes: 512 GiB free of 1 TiB$/m,
    /^ok +network interface lo is up$/m,
    /^ok +vblade may open raw sockets/m,
  ]) {
    t.regex(stdout, line);
  }
});

test.serial('the node of a host that was renamed is found by its state directory', async (t) => {
  await place.daemon('n1');
  await writeFile(place.file('blockstore.conf'), `aoe_eth_dev = lo\nstate_dir = ${place.file('state-n1')}\n`);
  const { stdout } = await place.spawn('blockstore', ['doctor', '--role', 'storage'], {
    BLOCKSTORE_STATE_DIR: undefined,
  });
  t.regex(stdout, /^ok +node n1 is up, /m);
});

test.serial('each problem is reported with a hint, also without Redis', async (t) => {
  await place.server.down();
  await place.fakeProgram('lvm', lvmWith());
  await place.fakeProgram('modinfo', 'exit 1');
  await writeFile(place.file('blockstore.conf'), 'aoe_eth_dev = nosuch0\n');
  const { exitCode, stdout } = await place.run('doctor');
  t.is(exitCode, 1);
  t.regex(stdout, /^bad +Redis at .* cannot be reached: .*\n +start Redis, or set redis_host/m);
  t.regex(stdout, /^bad +volume group nova-volumes does not exist\n +create it with vgcreate/m);
  t.regex(stdout, /^bad +network interface nosuch0 does not exist\n +set aoe_eth_dev/m);
  t.regex(stdout, /^(ok|warn) +the kernel module aoe is /m);
});

test.serial('disks on which the daemon would create no volume group are no success', async (t) => {
  await place.fakeProgram('lvm', lvmWith());
  await writeFile(place.file('disk'), '');
  for (const [devices, message] of [
    ['/dev/no-such-disk', /^bad +\/dev\/no-such-disk cannot join the volume group: it does not exist$/m],
    [place.file('disk'), /^bad +.*\/disk cannot join the volume group: it is not a block device$/m],
  ] as const) {
    const flags = `aoe_eth_dev = lo\nstorage_create = true\nstorage_dev = ${devices}\n`;
    await writeFile(place.file('blockstore.conf'), flags);
    const { exitCode, stdout } = await place.run('doctor', '--role', 'storage');
    t.is(exitCode, 1, stdout);
    t.regex(stdout, message);
    t.notRegex(stdout, /will create volume group/);
  }
});

test.serial('an invalid configuration ends the checks', async (t) => {
  await writeFile(place.file('blockstore.conf'), 'slots_per_shelf = none\nnonsense = 1\n');
  const { exitCode, stdout } = await place.run('doctor');
  t.is(exitCode, 1);
  t.regex(stdout, /^bad +unknown flag nonsense \(file .*\)\n/m);
  t.regex(stdout, /^bad +slots_per_shelf = "none" must be a whole number/m);
});

test.serial('a password that every user can read is a warning', async (t) => {
  await writeFile(place.file('blockstore.conf'), 'redis_password = secret\n');
  await chmod(place.file('blockstore.conf'), 0o644);
  const { stdout } = await place.run('doctor', '--role', 'compute');
  t.regex(stdout, /^warn +every user can read .*\n +chmod o-r /m);
});

test.serial('the certificate of the API is checked, with its key', async (t) => {
  const authority = await newAuthority(place.file('.'));
  const { cert, key } = await newCertificate(place.file('.'), 'api', authority, { days: 30 });
  const conf = (file: string) =>
    writeFile(place.file('blockstore.conf'), `storage_name = n1\napi_tls_cert = ${cert}\napi_tls_key = ${file}\n`);
  await conf(key);
  t.regex((await place.run('doctor', '--role', 'storage')).stdout, /^ok +certificate of the API, valid until 20/m);
  await chmod(key, 0o644);
  const { stdout } = await place.run('doctor', '--role', 'storage');
  t.regex(stdout, /^warn +every user can read the key .*\n +chmod o-r /m);
  await conf(authority.key);
  const refused = await place.run('doctor', '--role', 'storage');
  t.is(refused.exitCode, 1);
  t.regex(refused.stdout, /^bad +api_tls_key = .* is not the key of the first certificate/m);
});

test.serial('the key of encrypted volumes is checked where volumes are attached', async (t) => {
  const file = place.file('encryption.key');
  await appendFile(place.file('blockstore.conf'), `encryption_key_file = ${file}\n`);
  const doctor = async () => (await place.run('doctor', '--role', 'compute')).stdout.replaceAll(file, 'KEY');
  t.regex(await doctor(), /^bad +this host cannot attach encrypted volumes: KEY cannot be read: it does not exist$/m);
  await writeFile(file, 'short', { mode: 0o644 });
  t.regex(await doctor(), /^bad +.*: KEY has 5 bytes, fewer than 32\n +copy the file with the key of the cluster/m);
  await writeFile(file, randomBytes(32));
  t.regex(await doctor(), /^warn +every user of this host can read the key of the cluster, KEY\n +chmod 600 KEY$/m);
  await chmod(file, 0o600);
  t.regex(await doctor(), /^ok +encrypted volumes: key in KEY$/m);
  await place.fakeProgram('cryptsetup', 'exit 127');
  t.regex(await doctor(), /^bad +this host cannot attach encrypted volumes: .*cryptsetup/m);
});

test.serial('the identity service of the API is asked, by the user of the flags', async (t) => {
  const identity = await FakeIdentity.start();
  t.teardown(() => identity.stop());
  const file = place.file('password');
  await writeFile(file, identity.password, { mode: 0o600 });
  const settings = { storage_name: 'n1', auth_strategy: 'keystone', keystone_url: identity.url };
  const lines = Object.entries({ ...settings, keystone_password_file: file }).map(
    ([name, value]) => `${name} = ${value}`,
  );
  await writeFile(place.file('blockstore.conf'), lines.join('\n'));
  const check = async () => (await place.run('doctor', '--role', 'storage')).stdout;
  t.regex(await check(), /^ok +identity service http:.*: blockstore can validate tokens/m);
  await writeFile(file, 'wrong');
  await chmod(file, 0o644);
  const stdout = await check();
  t.regex(stdout, /^warn +every user can read the password .*\n +chmod o-r /m);
  t.regex(stdout, /^bad +the identity service .* cannot be used: keystone_user blockstore is refused/m);
});

test.serial('--json prints the same findings', async (t) => {
  const { exitCode, stdout } = await place.run('doctor', '--role', 'storage', '--json');
  t.is(exitCode, 0);
  t.like(JSON.parse(stdout).findings.at(-1), {
    level: 'ok',
    message: 'access to exports on lo can be restricted (tc)',
  });
  const warned: { message: string }[] = JSON.parse(stdout).findings.filter(
    (finding: { level: string }) => finding.level === 'warn',
  );
  t.deepEqual(
    warned.map(({ message }) => message),
    ['the cluster has no record of node n1 yet'],
  );
});

test.serial('LVM of an attaching host that scans attached volumes is reported with the filter to set', async (t) => {
  for (const [settings, message] of [
    [
      String.raw`global_filter=["a|.*|"]\nfilter=["a|.*|"]\nuse_devicesfile=0`,
      /^warn +LVM of this host scans attached volumes.*\n +.*global_filter = /m,
    ],
    [
      String.raw`global_filter=["r|^/dev/etherd/|"]\nuse_devicesfile=0`,
      /^ok +LVM of this host ignores attached volumes$/m,
    ],
    [
      String.raw`global_filter=["a|.*|"]\nuse_devicesfile=1\ndevicesfile="no-such-file"`,
      /^warn +LVM of this host scans attached volumes/m,
    ],
  ] as const) {
    // As the real one where lvm.conf has no setting.
    const failing = 'case "$*" in *--config*) ;; *) echo "  Cannot clone NULL config node." >&2; exit 5 ;; esac';
    await place.fakeProgram('lvmconfig', `${failing}\nprintf '%b\\n' '${settings}'`);
    const { stdout } = await place.run('doctor', '--role', 'compute');
    t.regex(stdout, message, settings);
  }
});

const everything = 'on nopass ~* &* +@all';
const redisFaults: Record<string, { options: string; found: RegExp }> = {
  'a command that was renamed': {
    options: '--rename-command EVALSHA EVALSHA2',
    found: /^bad +Redis does not permit commands of the daemon: EVALSHA\n +remove rename-command/m,
  },
  'commands that the user may not call': {
    options: `--user default ${everything} -xadd -zadd`,
    found: /^bad +Redis does not permit commands of the daemon: ZADD, XADD\n +extend the ACL/m,
  },
  'keys that the user may not touch': {
    options: '--user default on nopass ~{blockstore}:volume* &* +@all',
    found:
      /^bad +Redis does not permit keys such as .*\{blockstore\}:nodes,.*\n +give redis_user the pattern ~\{blockstore\}:\*/m,
  },
  'channels that the user may not use': {
    options: '--user default on nopass ~* resetchannels +@all',
    found: /^bad +Redis does not permit PUBLISH and SUBSCRIBE to channels of replies.*\n.*&\{blockstore\}:replies:\*$/m,
  },
  'INFO that the user may not call': {
    options: `--user default ${everything} -info`,
    found: /^bad +Redis does not permit commands of the daemon: INFO\n/m,
  },
  'memory that is full': {
    options: '--maxmemory 1 --maxmemory-policy noeviction',
    found: /^bad +Redis has no memory left: .* \(maxmemory\).*\n.*config set maxmemory/m,
  },
  'eviction of keys': {
    options: '--maxmemory 100mb --maxmemory-policy allkeys-lru',
    found: /^bad +Redis evicts keys when its memory is full \(maxmemory-policy allkeys-lru\)/m,
  },
  'a password that is wrong': {
    options: '--requirepass right',
    found: /^bad +Redis at .* denied access: .*\n +set redis_user and redis_password/m,
  },
};

for (const [name, { options, found }] of Object.entries(redisFaults)) {
  test.serial(`of Redis it finds ${name}, and never refers to itself`, async (t) => {
    const server = await RedisServer.start(...options.split(' '));
    t.teardown(() => server.stop());
    const { exitCode, stdout, stderr } = await place.run('--redis-url', server.url, 'doctor', '--role', 'storage');
    t.is(exitCode, 1, stdout);
    t.regex(stdout, found);
    t.notRegex(stdout + stderr, /blockstore doctor|internal error|Internal|\[WARN\]/);
  });
}

test.serial('of Redis it finds a replica, with and without replica-read-only, and what a failover loses', async (t) => {
  const port = String(await freePort());
  const server = await RedisServer.start('--port', port, '--repl-diskless-sync-delay', '0', '--appendfsync', 'no');
  t.teardown(() => server.stop());
  const replica = await RedisServer.start('--replicaof', '127.0.0.1', port);
  t.teardown(() => replica.stop());
  const doctor = async (url: string) => (await place.run('--redis-url', url, 'doctor', '--role', 'compute')).stdout;
  t.regex(await doctor(replica.url), /^bad +.*READONLY.*\n +this Redis is a replica: set redis_host/m);
  await configure(replica, 'replica-read-only', 'no');
  t.regex(await doctor(replica.url), /^bad +.*accepts writes \(replica-read-only no\).*\n +.*set redis_host/m);
  t.regex(await doctor(server.url), /^warn +.*\(appendfsync no\)/m);
  await configure(server, 'appendonly', 'no');
  t.regex(await doctor(server.url), /^warn +Redis has no append-only file: .*replicas lose/m);
});

test.serial('a Redis that permits everything has no fault', async (t) => {
  const { stdout } = await place.run('doctor', '--role', 'compute');
  t.notRegex(stdout, /^bad/m);
  for (const line of [
    /^ok +Redis permits every command of the command line$/m,
    /^ok +Redis permits every key that begins with \{blockstore\}:$/m,
    /^ok +Redis permits the channels of replies$/m,
    /^ok +Redis has memory for more records$/m,
  ]) {
    t.regex(stdout, line);
  }
});

test.serial('a configured host without the daemon is no storage node', async (t) => {
  await cp(await bundled(), place.file('program'), { recursive: true, verbatimSymlinks: true });
  const program = place.file('program/bin');
  const doctor = () =>
    place.spawn(join(program, 'blockstore'), ['doctor'], { BLOCKSTORE_STATE_DIR: place.file('none') });
  t.regex((await doctor()).stdout, /network interface/);
  for (const file of ['blockstored', 'blockstored.mjs']) await rm(join(program, file));
  const { stdout } = await doctor();
  t.notRegex(stdout, /network interface|volume group nova|none does not exist|no record of node/);
  t.regex(stdout, /module aoe/);
});
