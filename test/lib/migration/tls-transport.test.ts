import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { localData } from '../../../lib/drivers/open-data.ts';
import { silentLog } from '../../../lib/log.ts';
import { TlsTransport } from '../../../lib/migration/tls-transport.ts';
import type { Destination, Receiver } from '../../../lib/migration/transport.ts';
import { ChildProcesses, type PipeOptions, type PipedProcess } from '../../../lib/process.ts';
import { until } from '../../support/until.ts';

/** Data of a volume between two nodes of this process. */

const MiB = 2 ** 20;
const sizeBytes = 12 * MiB;
const volume = 'the volume';
const signal = new AbortController().signal;
const options = { signal, progress: () => {} };

let directory: string;
let sender: TlsTransport;
let receiver: TlsTransport;
const receivers = new Map<string, Receiver>();

/** What was written is not what is read: zeros. */
class ForgetfulStorage extends ChildProcesses {
  override pipe(command: string, args: readonly string[], given: PipeOptions): PipedProcess {
    return super.pipe(
      command,
      args.map((arg) => (arg.startsWith('if=') ? 'if=/dev/zero' : arg)),
      given,
    );
  }
}

function transport(bytesPerS = 0, processes = new ChildProcesses()): TlsTransport {
  return new TlsTransport({ processes, log: silentLog, address: () => '127.0.0.1', port: 0, bytesPerS });
}

test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'migration-'));
  sender = transport();
  receiver = transport();
});

test.after.always(async () => {
  await sender.close();
  await receiver.close();
  await rm(directory, { recursive: true });
});

async function fileOf(data: Buffer, size = sizeBytes): Promise<string> {
  const path = join(directory, randomUUID());
  await writeFile(path, data);
  await truncate(path, size);
  return path;
}

function dataWithHoles(): Buffer {
  const data = Buffer.alloc(sizeBytes);
  for (const offset of [0, 5 * MiB + 100, 11 * MiB]) randomBytes(MiB).copy(data, offset);
  return data;
}

/** Makes the receiving side ready. */
async function expecting(path: string, isBlank: boolean, at = receiver, size = sizeBytes): Promise<Destination> {
  const [migration, key] = [randomUUID(), randomBytes(32).toString('hex')];
  const storage = { volume, sizeBytes: size, key, isBlank };
  receivers.set(migration, { ...storage, open: () => Promise.resolve(localData(path)) });
  return { migration, key, endpoint: await at.listen((id) => receivers.get(id)) };
}

test('data arrive as they are; holes stay holes on storage that is blank, and are zeros on any other', async (t) => {
  const data = dataWithHoles();
  const path = await fileOf(data);
  const percents: number[] = [];
  const blank = await fileOf(Buffer.alloc(0));
  const progress = (percent: number) => void percents.push(percent);
  await sender.send(await expecting(blank, true), { volume, path, sizeBytes }, { signal, progress });
  t.true((await readFile(blank)).equals(data));
  t.true((await stat(blank)).blocks * 512 < 8 * MiB);
  t.true(percents.includes(60));
  const used = await fileOf(randomBytes(sizeBytes));
  const to = await expecting(used, false);
  await sender.send(to, { volume, path, sizeBytes }, options);
  t.true((await readFile(used)).equals(data));
  await sender.send(to, { volume, path, sizeBytes }, options);
  t.true((await readFile(used)).equals(data), 'it can be repeated');
});

test('zeros take neither the rate of migrations nor space, in holes and between data, also of storage with other data', async (t) => {
  const size = 256 * MiB;
  const data = Buffer.alloc(size);
  for (const piece of [0, 20, 24, 41, 120]) randomBytes(MiB).copy(data, piece * MiB);
  const path = await fileOf(data.subarray(0, 160 * MiB), size); // the rest is a hole
  const slow = transport(MiB);
  for (const isBlank of [true, false]) {
    const target = await fileOf(isBlank ? Buffer.alloc(0) : randomBytes(200 * MiB), size);
    const began = performance.now();
    await slow.send(await expecting(target, isBlank, receiver, size), { volume, path, sizeBytes: size }, options);
    t.true(performance.now() - began < 120_000, 'it is not sent at one MiB a second');
    t.true((await readFile(target)).equals(data));
    if (isBlank) t.true((await stat(target)).blocks * 512 < 8 * MiB);
  }
  await slow.close();
});

test('a node without the key of the migration is refused, and so is whoever speaks something else', async (t) => {
  const path = await fileOf(dataWithHoles());
  const before = randomBytes(sizeBytes);
  const target = await fileOf(before);
  const to = await expecting(target, true);
  const wrong = { ...to, key: randomBytes(32).toString('hex') };
  await t.throwsAsync(sender.send(wrong, { volume, path, sizeBytes }, options), {
    code: 'MigrationFailed',
    message: /does not know this migration/,
  });
  await t.throwsAsync(sender.send({ ...to, migration: randomUUID() }, { volume, path, sizeBytes }, options), {
    code: 'MigrationFailed',
  });
  const [, port = ''] = to.endpoint.split(':');
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await once(socket, 'close');
  t.true((await readFile(target)).equals(before));
  await t.throwsAsync(sender.send({ ...to, endpoint: '127.0.0.1:1' }, { volume, path, sizeBytes }, options), {
    code: 'MigrationFailed',
    message: /ECONNREFUSED/,
  });
});

test('storage that takes no data, or returns others, is reported to the sender', async (t) => {
  const path = await fileOf(dataWithHoles());
  const full = await expecting('/dev/full', false);
  await t.throwsAsync(sender.send(full, { volume, path, sizeBytes }, options), {
    code: 'MigrationFailed',
    message: /of volume the volume could not be written at the destination: "dd of=.dev.full/,
  });
  const forgetful = transport(0, new ForgetfulStorage());
  const lost = await expecting(await fileOf(Buffer.alloc(0)), true, forgetful);
  await t.throwsAsync(sender.send(lost, { volume, path, sizeBytes }, options), {
    code: 'MigrationFailed',
    message: /another checksum/,
  });
  await forgetful.close();
  const short = await fileOf(Buffer.alloc(0));
  await truncate(path, MiB);
  const to = await expecting(short, true);
  await t.throwsAsync(sender.send(to, { volume, path, sizeBytes }, options), { message: /1048576 bytes in place of/ });
});

/** Changes a piece of a file. */
async function change(path: string, piece: number): Promise<void> {
  const file = await open(path, 'r+');
  await file.write(randomBytes(1000), 0, 1000, piece * MiB + 77);
  await file.close();
}

test('what changes while data are sent is sent again, the rest once nothing writes any more', async (t) => {
  const path = await fileOf(randomBytes(sizeBytes));
  for (const isBlank of [true, false]) {
    const target = await fileOf(isBlank ? Buffer.alloc(0) : randomBytes(sizeBytes));
    const to = await expecting(target, isBlank);
    let isStopped = false;
    const progress = async (percent: number) => {
      if (!isStopped) await change(path, percent % 12);
    };
    const stop = async () => {
      isStopped = true;
      await new Promise((resolve) => setTimeout(resolve, 100)); // the last change is made
      await change(path, 0);
      await change(path, 7);
      const file = await open(path, 'r+');
      await file.write(Buffer.alloc(MiB), 0, MiB, 11 * MiB);
      await file.close();
      t.false((await readFile(target)).equals(await readFile(path)));
    };
    const writers = { stop, limitMs: 60_000 };
    await sender.send(to, { volume, path, sizeBytes }, { signal, progress: (n) => void progress(n), writers });
    t.true(isStopped);
    t.true((await readFile(target)).equals(await readFile(path)));
  }
});

test('a volume to which hosts write nothing is read three times', async (t) => {
  const path = await fileOf(randomBytes(sizeBytes));
  const target = await fileOf(Buffer.alloc(0));
  let reads = 0;
  class Counting extends ChildProcesses {
    override pipe(command: string, args: readonly string[], given: PipeOptions): PipedProcess {
      if (args.some((arg) => arg.includes(path))) reads += 1;
      return super.pipe(command, args, given);
    }
  }
  const at = transport(0, new Counting());
  const writers = { limitMs: 60_000, stop: async () => {} };
  await at.send(await expecting(target, true), { volume, path, sizeBytes }, { ...options, writers });
  t.is(reads, 3, 'the whole, what has changed since, and what has changed until nobody writes');
  t.true((await readFile(target)).equals(await readFile(path)));
  await at.close();
});

test('hosts do not wait longer for the last data than they may', async (t) => {
  const path = await fileOf(randomBytes(sizeBytes));
  const to = await expecting(await fileOf(Buffer.alloc(0)), true);
  const refused = { code: 'StallTooLong', message: /would wait \d+ s .*; migration_stall allows/ };
  const never = { limitMs: 1, stop: async () => t.fail() };
  await t.throwsAsync(sender.send(to, { volume, path, sizeBytes }, { ...options, writers: never }), refused);
  const late = { limitMs: 3000, stop: () => new Promise<void>((resolve) => setTimeout(resolve, 4000)) };
  await t.throwsAsync(sender.send(to, { volume, path, sizeBytes }, { ...options, writers: late }), refused);
  await t.throwsAsync(
    sender.send(
      to,
      { volume, path, sizeBytes },
      { ...options, writers: { ...late, stop: () => Promise.reject(new Error('it hangs')) } },
    ),
    { message: /it hangs/ },
  );
});

test('a last pass that is damaged on its way to the storage is no copy', async (t) => {
  const path = await fileOf(randomBytes(sizeBytes));
  const target = await fileOf(Buffer.alloc(0));
  const forgetful = new ForgetfulStorage();
  const plain = new ChildProcesses();
  let isForgetful = false;
  class Switched extends ChildProcesses {
    override pipe(command: string, args: readonly string[], given: PipeOptions): PipedProcess {
      return (isForgetful ? forgetful : plain).pipe(command, args, given);
    }
  }
  const at = transport(0, new Switched());
  const to = await expecting(target, true, at);
  const stop = async () => {
    await change(path, 3);
    isForgetful = true;
  };
  const writers = { limitMs: 60_000, stop };
  await t.throwsAsync(sender.send(to, { volume, path, sizeBytes }, { ...options, writers }), {
    code: 'MigrationFailed',
    message: /another checksum/,
  });
  await at.close();
});

test('a later connection takes the place of an earlier one, and an end leaves nobody writing', async (t) => {
  const data = randomBytes(sizeBytes);
  const path = await fileOf(data);
  const target = await fileOf(randomBytes(sizeBytes));
  const to = await expecting(target, false);
  const slow = transport(MiB);
  const first = slow.send(to, { volume, path, sizeBytes }, options);
  first.catch(() => undefined);
  const file = await open(target);
  const isBegun = async () => (await file.read(Buffer.alloc(16), 0, 16, 0)).buffer.equals(data.subarray(0, 16));
  await until(isBegun, 'the first has begun');
  await sender.send(to, { volume, path, sizeBytes }, options);
  await t.throwsAsync(first, { code: 'MigrationFailed' });
  t.true((await readFile(target)).equals(data));

  const cancelled = new AbortController();
  const second = slow.send(to, { volume, path, sizeBytes }, { signal: cancelled.signal, progress: () => {} });
  second.catch(() => undefined);
  setTimeout(() => cancelled.abort(new Error('the daemon stops')), 300);
  await t.throwsAsync(second, { message: 'the daemon stops' });

  await writeFile(target, randomBytes(sizeBytes));
  const third = slow.send(to, { volume, path, sizeBytes }, options);
  third.catch(() => undefined);
  await until(isBegun, 'the third has begun');
  await receiver.disconnect(to.migration);
  await t.throwsAsync(third, { code: 'MigrationFailed' });
  await file.close();
});
