import crypto from 'node:crypto';
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import net from 'node:net';
import type { FakeSocket } from './fake-redis/socket.ts';
import type { Random } from './random.ts';
import { VirtualProcess } from './virtual-process.ts';

/** Where a simulated process looks for Redis; nothing real has such a name. */
export const redisSocket = '/simulated/redis';
const root = '/simulated/';

/**
 * Node's own I/O boundaries, as simulated processes see them: connections to Redis, files
 * below /simulated, and chance. Others keep the real ones. Returns what brings the real ones back.
 */
export function replaceIoBoundaries(options: {
  random: Random;
  connect: (owner: VirtualProcess) => FakeSocket;
}): () => void {
  const { random, connect } = options;
  const undo = [
    replace(net, 'createConnection', (real) => (...args: unknown[]) => {
      const owner = VirtualProcess.current;
      if (owner) return connect(owner);
      if (isOurRedis(args[0])) throw lostOwner();
      return real(...args);
    }),
    replace(crypto, 'randomUUID', () => () => random.uuid()),
    replace(crypto, 'randomBytes', () => (count) => bytes(random, Number(count))),
    // The real one takes its time in another thread.
    replace(crypto, 'scrypt', () => (...args) => {
      const [password, salt, length, done] = args;
      const hash = crypto.createHash('shake256', { outputLength: Number(length) });
      const derived = hash.update(`${String(password)} ${String(salt)}`).digest();
      if (isCall(done)) queueMicrotask(() => done(null, derived));
    }),
    replace(Math, 'random', () => () => random.next()),
    ...replaceFiles(),
  ];
  syncBuiltinESMExports();
  return () => {
    for (const one of undo) one();
    syncBuiltinESMExports();
  };
}

function bytes(random: Random, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, () => random.between(0, 255)));
}

function isOurRedis(to: unknown): boolean {
  return to instanceof Object && Reflect.get(to, 'path') === redisSocket;
}

/** What was begun for a simulated process and goes on as nobody's is a fault of the simulation, and would look like one of Redis. */
function lostOwner(): Error {
  const error = new Error('a simulated process has lost itself: its code was called from outside it');
  // Thrown a second time, where nobody takes it for a broken connection.
  queueMicrotask(() => {
    throw error;
  });
  return error;
}

type Call = (...args: unknown[]) => unknown;

function replace(owner: object, name: string, make: (real: Call) => Call): () => void {
  const real: unknown = Reflect.get(owner, name);
  if (!isCall(real)) throw new Error(`there is no ${name} to replace`);
  Reflect.set(owner, name, make(real.bind(owner)));
  return () => {
    Reflect.set(owner, name, real);
  };
}

function isCall(value: unknown): value is Call {
  return typeof value === 'function';
}

/** A flat file system: directories are there once something asks for them. */
function replaceFiles(): (() => void)[] {
  const contents = new Map<string, string>();
  const addressFile = '/sys/class/net/eth0/address';
  const ours = (path: unknown): path is string =>
    typeof path === 'string' &&
    (path.startsWith(root) || (path === addressFile && VirtualProcess.current !== undefined));
  const missing = (path: string) => Object.assign(new Error(`ENOENT: ${path}`), { code: 'ENOENT' });
  const inOurs = (name: string, work: (path: string, ...rest: unknown[]) => unknown) =>
    replace(
      files,
      name,
      (real) =>
        async (path: unknown, ...rest: unknown[]) =>
          ours(path) ? work(path, ...rest) : await real(path, ...rest),
    );
  return [
    inOurs('mkdir', () => undefined),
    inOurs('realpath', (path) => path),
    inOurs('readFile', (path) => {
      if (path === addressFile) return VirtualProcess.current?.name.replace(/#.*/, '');
      const content = contents.get(path);
      if (content === undefined) throw missing(path);
      return content;
    }),
    inOurs('writeFile', (path, content) => void contents.set(path, String(content))),
    inOurs('rename', (from, to) => {
      contents.set(String(to), contents.get(from) ?? '');
      contents.delete(from);
    }),
    // A machine has one network interface, whose address is the node's name.
    replace(
      files,
      'readdir',
      (real) =>
        async (...args: unknown[]) =>
          args[0] === '/sys/class/net' && VirtualProcess.current ? ['eth0'] : await real(...args),
    ),
  ];
}
