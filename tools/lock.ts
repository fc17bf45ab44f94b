/**
 * `npm run lock`: updates package-lock.json. With a registry mirror that has the binaries of one platform, npm omits the
 * packages of other platforms from the lock file, and `npm ci` then refuses it. This adds entries for them, derived from
 * their names, so that npm ci knows and skips them.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { z } from 'zod';

const root = path.resolve(import.meta.dirname, '..');
const lockFile = path.join(root, 'package-lock.json');
const place = 'node_modules/';

const entrySchema = z.looseObject({
  version: z.string().optional(),
  dev: z.boolean().optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
const lockSchema = z.looseObject({ packages: z.record(z.string(), entrySchema) });

const systems = ['android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'ppc64', 'riscv64', 's390x', 'wasm32', 'x64'];

await execa('npm', ['install', '--package-lock-only', '--loglevel=error'], { cwd: root, stdio: 'inherit' });
const lock = lockSchema.parse(JSON.parse(await readFile(lockFile, 'utf8')));
const added: string[] = [];
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    if (lock.packages[place + name] || !/^\d+\.\d+\.\d+$/.test(version)) continue;
    lock.packages[place + name] = {
      version,
      ...(parent.dev ? { dev: true } : {}),
      optional: true,
      ...platformOf(name),
    };
    added.push(name);
  }
}
const [own, ...others] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([...(own ? [own] : []), ...others.toSorted(([a], [b]) => (a < b ? -1 : 1))]);
await writeFile(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
console.log(
  added.length === 0 ? 'package-lock.json was complete' : `entered ${added.length} packages of other platforms`,
);

function platformOf(name: string): { os?: string[]; cpu?: string[]; libc?: string[] } {
  const words = (name.split('/').at(-1) ?? '').split('-');
  const os = systems.find((system) => words.includes(system));
  const cpu = processors.find((processor) => words.includes(processor));
  const libc = words.some((word) => word.startsWith('musl'))
    ? 'musl'
    : words.some((word) => word.startsWith('gnu'))
      ? 'glibc'
      : undefined;
  return { ...(os ? { os: [os] } : {}), ...(cpu ? { cpu: [cpu] } : {}), ...(libc ? { libc: [libc] } : {}) };
}
