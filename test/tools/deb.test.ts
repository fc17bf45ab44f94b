import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { version } from '../../lib/version.ts';

const root = path.resolve(import.meta.dirname, '../..');
const names = ['blockstore', 'blockstore-storage'] as const;
type Name = (typeof names)[number];
let directory: string;

test.before('build and unpack the packages', async (t) => {
  t.timeout(600_000);
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-deb-'));
  await execa(process.execPath, [path.join(root, 'tools/deb.ts'), directory]);
  for (const name of names) {
    await execa('dpkg-deb', ['-x', await packageFile(name), unpacked(name)]);
    await execa('dpkg-deb', ['-x', await packageFile(name), unpacked('both')]);
  }
});

test.after.always(() => rm(directory, { recursive: true, force: true }));

async function packageFile(name: Name): Promise<string> {
  const file = (await readdir(directory)).find((entry) => entry.startsWith(`${name}_`));
  return path.join(directory, file ?? '');
}

function unpacked(name: Name | 'both', ...within: string[]): string {
  return path.join(directory, name, ...within);
}

async function show(name: Name, format: string): Promise<string> {
  return (await execa('dpkg-deb', ['-W', `--showformat=${format}`, await packageFile(name)])).stdout;
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)))
    .toSorted();
}

test('a package is named after its version and architecture, and nothing else is left', async (t) => {
  const files = await Promise.all(names.map((name) => show(name, '${Package}_${Version}_${Architecture}.deb')));
  t.deepEqual((await readdir(directory)).toSorted(), [...files, ...names, 'both'].toSorted());
  for (const file of files) t.true(file.includes(`_${version}_`));
});

test('a compute host installs neither LVM nor vblade; a storage host installs the command line too', async (t) => {
  const depends = (name: Name) => show(name, '${Depends}');
  t.notRegex(await depends('blockstore'), /lvm2|vblade|aoetools|redis|perl/);
  t.regex(await depends('blockstore'), /libc6 \(>= [\d.]+\)/);
  t.regex(await depends('blockstore-storage'), new RegExp(`blockstore \\(= ${version}\\).*lvm2.*vblade`));
});

test('all files belong to root, and other users cannot read the configuration', async (t) => {
  for (const name of names) {
    const { stdout } = await execa('dpkg-deb', ['-c', await packageFile(name)]);
    const lines = stdout.split('\n').map((line) => line.split(/\s+/));
    t.deepEqual(new Set(lines.map(([, owner]) => owner)), new Set(['root/root']));
    const configuration = lines.find((line) => line.includes('./etc/blockstore/blockstore.conf'));
    t.is(configuration?.[0], name === 'blockstore' ? '-rw-r-----' : undefined);
  }
  const { stdout: kept } = await execa('dpkg-deb', ['-I', await packageFile('blockstore'), 'conffiles']);
  t.true(kept.split('\n').includes('/etc/blockstore/blockstore.conf'));
});

test('both commands run on the packaged Node.js, whatever node is on the PATH', async (t) => {
  for (const command of ['blockstore', 'blockstored']) {
    const options = { extendEnv: false, env: { PATH: '/usr/bin:/bin' }, cwd: '/' };
    const file = unpacked('both', 'opt/blockstore/bin', command);
    t.is((await execa(file, ['--version'], options)).stdout, version);
    t.regex((await execa(file, ['--help'], options)).stdout, new RegExp(`Usage: ${command}`));
  }
});

test('the packages contain bundles and their licences, no TypeScript and no node_modules', async (t) => {
  const files = await filesIn(unpacked('both', 'opt/blockstore'));
  t.deepEqual(
    files.filter((file) => file.endsWith('.ts') || file.includes('node_modules')),
    [],
  );
  for (const file of ['NOTICES', 'NOTICES.node', 'lib/targets/aoe/launcher.pl']) t.true(files.includes(file), file);
  t.deepEqual(await filesIn(unpacked('blockstore-storage', 'opt/blockstore')), [
    'bin/blockstored',
    'bin/blockstored.mjs',
  ]);
});

test('the packages have no path of the checkout that they were built in', async (t) => {
  const { stdout } = await execa('grep', ['-rlF', root, unpacked('both')], { reject: false });
  t.is(stdout, '');
});

test('the maintainer scripts of the storage package are valid sh; the other has none', async (t) => {
  const control = path.join(directory, 'both', 'control');
  await execa('dpkg-deb', ['-e', await packageFile('blockstore'), control]);
  t.deepEqual((await readdir(control)).toSorted(), ['conffiles', 'control', 'md5sums']);
  for (const script of ['postinst', 'prerm', 'postrm']) {
    const { stdout } = await execa('dpkg-deb', ['-I', await packageFile('blockstore-storage'), script]);
    await t.notThrowsAsync(execa('sh', ['-n'], { input: stdout }));
  }
});

test('completion, manual pages and units are where bash, man and systemd expect them', async (t) => {
  const share = unpacked('blockstore', 'usr/share/bash-completion/completions/blockstore');
  await t.notThrowsAsync(execa('bash', ['-n', share]));
  t.regex(await readFile(share, 'utf8'), /complete .*blockstore/);
  t.deepEqual(await filesIn(unpacked('both', 'usr/share/man')), [
    'man1/blockstore.1.gz',
    'man5/blockstore.conf.5.gz',
    'man8/blockstored.8.gz',
  ]);
  t.deepEqual(await filesIn(unpacked('blockstore-storage', 'lib/systemd/system')), [
    'blockstore-tgtd.service',
    'blockstore-vblade-file@.service',
    'blockstore-vblade@.service',
    'blockstored.service',
  ]);
});
