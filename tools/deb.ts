/**
 * `npm run deb [-- <directory>]`: builds the Debian packages blockstore (command line) and blockstore-storage (daemon) in dist/ or
 * that directory, from this checkout and its node_modules alone, by debhelper. tools/deb/ has the contents of each package.
 */
import { chmod, cp, glob, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { version } from '../lib/version.ts';
import { bundle } from './bundle.ts';
import { writeManPages } from './man.ts';

const root = path.resolve(import.meta.dirname, '..');
const output = path.resolve(root, process.argv[2] ?? 'dist');
/** Files of the bundle that a machine without storage does not need. */
const storageFiles = ['bin/blockstored', 'bin/blockstored.mjs'];

await mkdir(output, { recursive: true });
// debhelper puts packages beside the source; on one file system with the result.
const stage = await mkdtemp(path.join(output, '.stage-'));
const source = path.join(stage, 'source');
try {
  await cp(path.join(root, 'tools/deb'), path.join(source, 'debian'), { recursive: true });
  for (const name of ['etc', 'docs', 'README.md', 'CHANGELOG.md']) {
    await cp(path.join(root, name), path.join(source, name), { recursive: true });
  }
  await cp(path.join(root, 'LICENSE'), path.join(source, 'debian/copyright'));
  await writeFile(path.join(source, 'debian/changelog'), await changelog());
  await addPrograms();
  await writeManPages(path.join(source, 'man'));
  await execa('make', ['-f', 'debian/rules', 'binary'], { cwd: source, env: { LC_ALL: 'C.UTF-8' } });
  for await (const file of glob('*.deb', { cwd: stage })) {
    await rename(path.join(stage, file), path.join(output, file));
    console.log(path.join(output, file));
  }
} finally {
  await rm(stage, { recursive: true });
}

/** The bundle, divided among the packages, and the Node.js that it runs on. */
async function addPrograms(): Promise<void> {
  const common = path.join(source, 'blockstore');
  await bundle(common);
  for (const file of storageFiles) {
    const to = path.join(source, 'blockstore-storage', file);
    await mkdir(path.dirname(to), { recursive: true });
    await rename(path.join(common, file), to);
  }
  const node = path.join(common, 'bin/node');
  await rm(node); // a link to the checkout
  await cp(path.join(root, 'node_modules/node/bin/node'), node);
  await chmod(node, 0o755);
  for await (const license of glob('node_modules/node/node_modules/node-linux-*/LICENSE', { cwd: root })) {
    await cp(path.join(root, license), path.join(common, 'NOTICES.node'));
  }
  const completion = await execa(path.join(common, 'bin/blockstore'), ['completion', 'bash']);
  await mkdir(path.join(source, 'completions'));
  await writeFile(path.join(source, 'completions/blockstore'), `${completion.stdout}\n`);
}

async function changelog(): Promise<string> {
  const name = process.env['DEBFULLNAME'] ?? 'blockstore';
  const email = process.env['DEBEMAIL'] ?? 'blockstore@localhost';
  const { stdout: date } = await execa('date', ['-R'], { env: { LC_ALL: 'C' } });
  return `blockstore (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- ${name} <${email}>  ${date}\n`;
}
