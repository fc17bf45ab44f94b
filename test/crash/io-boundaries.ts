/**
 * Bundled into a daemon before its own code: counts all that the daemon does to the world outside, at its I/O boundaries, and
 * ends it where its plan says. The daemon knows nothing of this.
 */
import childProcess, { ChildProcess } from 'node:child_process';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { basename } from 'node:path';
import { Command, Redis } from 'ioredis';
import { Store } from '../../lib/redis/store.ts';
import { SshConnection } from '../../lib/san/ssh-connection.ts';
import { planSignal, planVariable, retrySuffix } from './plan.ts';
import { Points } from './points.ts';

type Original = (self: unknown, args: unknown[]) => unknown;
type Replacement = (this: unknown, ...args: unknown[]) => unknown;

function replace(owner: object, method: string, make: (original: Original) => Replacement): void {
  const original: unknown = Reflect.get(owner, method);
  if (typeof original !== 'function') throw new Error(`there is no I/O boundary ${method}`);
  Reflect.set(
    owner,
    method,
    make((self, args): unknown => Reflect.apply(original, self, args)),
  );
}

/** Calls of a method are effects if `nameOf` returns a name. */
function count(points: Points, owner: object, method: string, nameOf: (args: unknown[]) => string | undefined): void {
  replace(
    owner,
    method,
    (original) =>
      function (...args) {
        const name = nameOf(args);
        return name === undefined ? original(this, args) : points.around(name, () => original(this, args));
      },
  );
}

/** Returns a name that is the same in every run. */
function plain(value: unknown): string {
  const text = typeof value === 'string' || value instanceof URL ? basename(String(value)) : '';
  const isTemporary = text.startsWith('blockstore-image-'); // by mkdtemp()
  return isTemporary ? 'blockstore-image' : text.replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID');
}

/** Commands that are not counted: of the connection itself, reads, and scripts, which are counted where they are called. */
const noEffect =
  /^(hello|auth|client|select|info|config|ping|wait|(un)?subscribe|hgetall|h?get|hmget|zrange|zcard|exists|eval(sha)?)$/;

function countRedis(points: Points): void {
  // How often progress and the retries of a step are written depends on time.
  const suffixOf = (change: string) => {
    if (/"set":\{"progress":"\d+"\}/.test(change)) return ', progress';
    return /"attempts":"\d+"/.test(change) ? retrySuffix : '';
  };
  count(points, Store.prototype, 'run', ([script, change]) => `script ${String(script)}${suffixOf(String(change))}`);
  replace(
    Redis.prototype,
    'sendCommand',
    (original) =>
      function (...args) {
        const [command] = args;
        if (!(command instanceof Command) || noEffect.test(command.name)) return original(this, args);
        const waits = command.args.includes('BLOCK');
        return points[waits ? 'reading' : 'around'](command.name, () => original(this, args));
      },
  );
}

const fileMethods = [
  'copyFile',
  'rename',
  'unlink',
  'rm',
  'rmdir',
  'mkdir',
  'writeFile',
  'appendFile',
  'symlink',
  'link',
  'truncate',
];
const handleMethods = ['truncate', 'write', 'writeFile', 'appendFile', 'sync', 'datasync'];

async function countFiles(points: Points): Promise<void> {
  const handle = await files.open('/dev/null');
  const handles: unknown = Object.getPrototypeOf(handle);
  await handle.close();
  if (typeof handles !== 'object' || handles === null) throw new Error('there is no I/O boundary FileHandle');
  for (const method of handleMethods) count(points, handles, method, () => `${method} the file`);
  for (const method of fileMethods) count(points, files, method, ([file]) => `${method} ${plain(file)}`);
  count(points, files, 'open', ([file, flags = 'r']) => (flags === 'r' ? undefined : `open ${plain(file)}`));
}

/** Commands over SSH, but not those that only read. Storage carries one out also when the daemon dies before its answer. */
function countSsh(points: Points): void {
  const reads = /^(get|sh -c|\S+ list)/;
  count(points, SshConnection.prototype, 'run', ([, , shown]) => {
    const command = String(shown).replace(/^pfexec /, '');
    const [verb = '', subcommand = ''] = command.split(' ');
    if (reads.test(command)) return undefined;
    return subcommand.includes('=') ? `ssh ${verb}` : `ssh ${verb} ${subcommand}`;
  });
}

function countProcesses(points: Points): void {
  count(points, process, 'kill', ([, signal]) => (signal === 0 ? undefined : `kill ${String(signal)}`));
  replace(
    childProcess,
    'spawn',
    (original) =>
      function (...args) {
        const [file, list] = args;
        const words: unknown[] = Array.isArray(list) ? list.slice(0, plain(file) === 'dog' ? 2 : 1) : [];
        const name = [file, ...words].map(plain).join(' ').trim();
        const child = points.around(`start ${name}`, () => original(this, args));
        if (child instanceof ChildProcess) countChild(points, child, name);
        return child;
      },
  );
}

/** Counts writes to a child, its first reply to each, and its end. */
function countChild(points: Points, child: ChildProcess, name: string): void {
  let asked: string | undefined;
  const onEmit = (owner: object, event: string, note: () => void) =>
    replace(
      owner,
      'emit',
      (original) =>
        function (...args) {
          if (args[0] === event) note();
          return original(this, args);
        },
    );
  if (child.stdin && name.startsWith('dd ')) {
    let hasBegun = false;
    // How the data are divided differs between runs.
    count(points, child.stdin, 'write', () => {
      if (hasBegun) return undefined;
      hasBegun = true;
      return `${name} < data`;
    });
  } else if (child.stdin) {
    count(points, child.stdin, 'write', ([line]) => {
      asked = /^[a-z]+/.exec(String(line))?.[0] ?? 'a line';
      return `${name} < ${asked}`;
    });
  }
  for (const stream of [child.stdout, child.stdio[3]]) {
    if (!stream) continue;
    onEmit(stream, 'data', () => {
      if (asked !== undefined) points.arrival(`${name} > answer to ${asked}`);
      asked = undefined;
    });
  }
  onEmit(child, 'exit', () => points.arrival(`end of ${name}`));
}

const directory = process.env[planVariable];
if (directory !== undefined) {
  const points = new Points(directory);
  countRedis(points);
  await countFiles(points);
  countSsh(points);
  countProcesses(points);
  syncBuiltinESMExports();
  points.arm();
  process.on(planSignal, () => points.arm());
}
