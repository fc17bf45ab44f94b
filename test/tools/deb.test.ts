import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';

const root = path.resolve(import.meta.dirname, '../..');
let directory: string;
let deb: string;
/** The package's files, unpacked. */
let unpacked: string;

test.before('build and unpack the package', async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-deb-'));
  const { stdout } = await execa(process.execPath, [path.join(root, 'tools/deb.ts'), directory]);
  deb = stdout.split('\n').at(-1) ?? '';
  unpacked = path.join(directory, 'unpacked');
  await execa('dpkg-deb', ['-x', deb, unpacked]);
});

test.after.always(() => rm(directory, { recursive: true, force: true }));

test('the package is named after version and architecture', async (t) => {
  const { stdout } = await execa('dpkg-deb', ['-W', '--showformat=${Package}_${Version}_${Architecture}.deb', deb]);
  t.is(path.basename(deb), stdout);
  t.deepEqual((await readdir(directory)).toSorted(), [stdout, 'unpacked'].toSorted(), 'nothing is left behind');
});

test('all files belong to root, and other users cannot read the configuration', async (t) => {
  const { stdout } = await execa('dpkg-deb', ['-c', deb]);
  const lines = stdout.split('\n').map((line) => line.split(/\s+/));
  t.deepEqual(new Set(lines.map(([, owner]) => owner)), new Set(['root/root']));
  const configuration = lines.find((line) => line.includes('./etc/blockstore/blockstore.conf'));
  t.is(configuration?.[0], '-rw-r-----');
  const { stdout: kept } = await execa('dpkg-deb', ['-I', deb, 'conffiles']);
  t.true(kept.split('\n').includes('/etc/blockstore/blockstore.conf'));
});

test('both commands run on the packaged Node.js, whatever node is on the PATH', async (t) => {
  const bin = path.join(unpacked, 'opt/blockstore/bin');
  for (const command of ['blockstore', 'blockstored']) {
    const { stdout } = await execa(path.join(bin, command), ['--help'], {
      extendEnv: false,
      env: { PATH: '/usr/bin:/bin' },
      cwd: '/',
    });
    t.regex(stdout, new RegExp(`\\b${command}\\b|--storage-name|--storage_name`));
  }
});

test('the package has the files that the code reads, and no TypeScript', async (t) => {
  for (const folder of ['lib', 'services']) {
    const packed = await filesIn(path.join(unpacked, 'opt/blockstore', folder));
    const sources = await filesIn(path.join(root, folder));
    t.deepEqual(packed, sources.map((file) => file.replace(/\.ts$/, '.js')).toSorted());
  }
});

test('the package has no path of the checkout that it was built in', async (t) => {
  const places = ['bin', 'lib', 'services'].map((folder) => path.join(unpacked, 'opt/blockstore', folder));
  const found = await execa('grep', ['-rlF', root, ...places, path.join(unpacked, 'usr'), path.join(unpacked, 'etc')], {
    reject: false,
  });
  t.is(found.stdout, '');
  t.is(found.exitCode, 1);
});

test('the maintainer scripts are valid sh', async (t) => {
  for (const script of ['postinst', 'prerm', 'postrm']) {
    const { stdout } = await execa('dpkg-deb', ['-I', deb, script]);
    await t.notThrowsAsync(execa('sh', ['-n'], { input: stdout }));
  }
});

test('completion and units are where bash and systemd expect them', async (t) => {
  const share = path.join(unpacked, 'usr/share/bash-completion/completions/blockstore');
  await t.notThrowsAsync(execa('bash', ['-n', share]));
  t.regex(await readFile(share, 'utf8'), /complete .*blockstore/);
  const units = await readdir(path.join(unpacked, 'usr/lib/systemd/system'));
  t.deepEqual(units.toSorted(), ['blockstore-vblade@.service', 'blockstored.service']);
});

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
}
