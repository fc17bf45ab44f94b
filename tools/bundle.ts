/**
 * `npm run bundle [-- <directory>]`: bundles both programs of this checkout as plain JavaScript without node_modules in
 * dist/bundle or that directory:
 *
 *   bin/       the launchers, one entry file per program, and the chunks that they load on demand
 *   lib/ …     scripts that are read at run time, at the same place as in the checkout
 *   NOTICES    the licences of the bundled packages
 */
import { chmod, cp, glob, mkdir, mkdtemp, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type OutputChunk, type Plugin, rolldown } from 'rolldown';
import { z } from 'zod';

const root = path.resolve(import.meta.dirname, '..');
const programs = ['blockstore', 'blockstored'];
const folders = ['cli', 'lib', 'services'];
/** Older packages have a list of licences. */
const packageSchema = z
  .object({
    name: z.string(),
    version: z.string(),
    license: z.string().optional(),
    licenses: z.array(z.object({ type: z.string() })).default([]),
    author: z.union([z.string(), z.object({ name: z.string() }).transform(({ name }) => name)]).default('its authors'),
  })
  .transform(({ license, licenses, ...rest }) => ({
    ...rest,
    license: license ?? licenses.map(({ type }) => type).join(' or '),
  }));

export interface BundleOptions {
  /** Modules that are loaded before each program, in the same bundle: tests wrap the I/O boundaries of a program there. */
  before?: readonly string[];
}

/** Replaces `directory` atomically, so that it never has an incomplete bundle. */
export async function bundle(directory: string, { before = [] }: BundleOptions = {}): Promise<void> {
  await mkdir(path.dirname(directory), { recursive: true });
  const stage = await mkdtemp(`${directory}-`);
  try {
    await chmod(stage, 0o755);
    const chunks = await writePrograms(path.join(stage, 'bin'), before);
    for (const name of programs) await cp(path.join(root, 'bin', name), path.join(stage, 'bin', name));
    for (const file of await assets()) await cp(path.join(root, file), path.join(stage, file));
    await symlink(path.join(root, 'node_modules/node/bin/node'), path.join(stage, 'bin/node'));
    await writeFile(path.join(stage, 'NOTICES'), await notices(chunks));
    await rm(directory, { recursive: true, force: true });
    await rename(stage, directory);
  } finally {
    await rm(stage, { recursive: true, force: true });
  }
}

async function writePrograms(bin: string, before: readonly string[]): Promise<OutputChunk[]> {
  const build = await rolldown({
    cwd: root,
    platform: 'node',
    input: Object.fromEntries(programs.map((name) => [name, `${entryPrefix}${name}`])),
    plugins: [entries(before), placesOfTheCheckout, withoutNativeParts],
  });
  // Not minified: names and modules stay readable in the stack of an unexpected error. Licences are in NOTICES.
  const { output } = await build.write({
    dir: bin,
    format: 'esm',
    comments: { legal: false, annotation: false, jsdoc: false },
    entryFileNames: '[name].mjs',
    chunkFileNames: '[name]-[hash].mjs',
  });
  await build.close();
  return output.filter((file) => file.type === 'chunk');
}

const entryPrefix = 'program:';

function entries(before: readonly string[]): Plugin {
  return {
    name: 'entries',
    resolveId: (id) => (id.startsWith(entryPrefix) ? id : undefined),
    load(id) {
      if (!id.startsWith(entryPrefix)) return undefined;
      const files = [...before, path.join(root, 'bin', `${id.slice(entryPrefix.length)}.ts`)];
      return files.map((file) => `import ${JSON.stringify(file)};\n`).join('');
    },
  };
}

/** A module in the bundle finds the files beside it where it finds them in the checkout. All chunks are in one directory. */
const placesOfTheCheckout: Plugin = {
  name: 'places-of-the-checkout',
  transform(code, id) {
    if (!id.endsWith('.ts') || !code.includes('import.meta.')) return undefined;
    const from = path.relative(path.join(root, 'bin'), id);
    return code
      .replaceAll('import.meta.dirname', `(import.meta.dirname + ${JSON.stringify(`/${path.dirname(from)}`)})`)
      .replaceAll('import.meta.url', `new URL(${JSON.stringify(from)}, import.meta.url).href`);
  },
};

const nativePart = 'native-part';

/** ssh2 works without its native parts, which fit one version of Node.js on one processor, and are missing where npm built none. */
const withoutNativeParts: Plugin = {
  name: 'without-native-parts',
  resolveId: (id) => (id.endsWith('.node') || id === 'cpu-features' ? nativePart : undefined),
  load: (id) => (id === nativePart ? "throw new Error('the bundle has no native parts');" : undefined),
};

/** Copies files that are not TypeScript; they are read or run as they are. */
async function assets(): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of glob(
    folders.map((folder) => `${folder}/**/*`),
    { cwd: root, withFileTypes: true },
  )) {
    if (entry.isFile() && !entry.name.endsWith('.ts'))
      found.push(path.relative(root, path.join(entry.parentPath, entry.name)));
  }
  return found;
}

async function notices(chunks: readonly OutputChunk[]): Promise<string> {
  const files = chunks.flatMap(({ moduleIds }) => moduleIds.filter((id) => id.includes('/node_modules/')));
  const directories = new Set(files.map((file) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? ''));
  const texts = await Promise.all([...directories].toSorted().map(noticeOf));
  return `blockstore contains these packages.\n${texts.join('')}`;
}

async function noticeOf(directory: string): Promise<string> {
  const file = await readFile(path.join(directory, 'package.json'), 'utf8');
  const { name, version, license, author } = packageSchema.parse(JSON.parse(file));
  const licences = (await readdir(directory)).filter((entry) => /^(licen[cs]e|copying|notice)/i.test(entry));
  const texts = await Promise.all(licences.map((entry) => readFile(path.join(directory, entry), 'utf8')));
  if (texts.length === 0 && license === 'MIT') texts.push(mit(author));
  return `\n${'='.repeat(80)}\n${name} ${version} (${license})\n\n${texts.map((text) => text.trim()).join('\n\n')}\n`;
}

/** Some packages name this licence and have no copy of it. */
function mit(author: string): string {
  return `MIT License

Copyright (c) ${author}

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE
WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR
COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE,
ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;
}

if (import.meta.main) {
  const directory = path.resolve(root, process.argv[2] ?? 'dist/bundle');
  await bundle(directory);
  console.log(directory);
}
