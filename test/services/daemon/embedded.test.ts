import { chmod, cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { embeddedFlags, writeEmbeddedConfig } from '../../../services/daemon/embedded.ts';
import { Blockstored } from '../../support/blockstored.ts';
import { bundled } from '../../support/bundle.ts';

/** The daemon of `npm start`. */

let root: string;
test.beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'blockstore-embedded-'));
});
test.afterEach.always(() => rm(root, { recursive: true, force: true }));

const configuration = () => join(root, 'var', 'blockstore.conf');

test.serial(
  'a second start leaves the configuration of the first one, which stops in order without its Redis',
  async (t) => {
    await cp(await bundled(), root, { recursive: true, verbatimSymlinks: true });
    const program = join(root, 'embedded');
    await writeFile(program, `#!/bin/sh\nexec ${root}/bin/blockstored --embedded "$@"\n`);
    await chmod(program, 0o755);
    const flags = { storage_name: 'n1', volume_target: 'none' };
    const daemon = await Blockstored.start({ ...flags, redis_prefix: 'one' }, {}, program);
    const redis = Number(await readFile(join(root, 'var', 'redis', 'redis.pid'), 'utf8'));
    t.teardown(async () => {
      await daemon.kill();
      if (!t.passed) process.kill(redis, 'SIGKILL');
    });
    const second = Blockstored.begin({ ...flags, redis_prefix: 'two' }, {}, program);
    t.is(await second.ended(), 5, second.log);
    t.regex(await readFile(configuration(), 'utf8'), /^redis_prefix = one$/m);

    process.kill(redis, 'SIGKILL');
    t.is(await daemon.stop(), 0, daemon.log);
    t.notRegex(daemon.log, /internal error/);
  },
);

test('everything that it keeps is in one directory', (t) => {
  const { flags } = loadFlags({ embedded: embeddedFlags(root), env: {} });
  const elsewhere = Object.entries(flags).filter(
    ([, value]) => typeof value === 'string' && value.startsWith('/var/') && !value.startsWith(`${root}/`),
  );
  t.deepEqual(elsewhere, []);
});

const given: readonly Readonly<Record<string, string>>[] = [
  {},
  { BLOCKSTORE_REDIS_PORT: '7301', BLOCKSTORE_REDIS_PASSWORD: 'a # "b"' },
  { BLOCKSTORE_REDIS_URL: 'redis://user:word@127.0.0.1:7302/2' },
  { BLOCKSTORE_REDIS_SENTINELS: '127.0.0.1:7303,127.0.0.1:7304', BLOCKSTORE_REDIS_SENTINEL_NAME: 'main' },
  { BLOCKSTORE_REDIS_CLUSTER: '127.0.0.1:7305', BLOCKSTORE_REDIS_TLS: 'true' },
  { BLOCKSTORE_FAKE_STORAGE: 'true', BLOCKSTORE_VOLUME_TOPIC: 'other' },
];
for (const env of given) {
  test.serial(`the command line uses the settings of the daemon: ${Object.keys(env).join(', ')}`, async (t) => {
    const loaded = loadFlags({ embedded: embeddedFlags(root), env });
    await writeEmbeddedConfig(root, loaded);
    t.deepEqual(loadFlags({ file: configuration() }).flags, loaded.flags);
  });
}
