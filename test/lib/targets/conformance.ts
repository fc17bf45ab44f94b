import assert from 'node:assert/strict';
import { rm, truncate } from 'node:fs/promises';
import type { Chap, ExportSpec, FoundExport, Target } from '../../../lib/targets/target.ts';
import { until } from '../../support/until.ts';

/** A host that has an export open. */
export interface HostSession {
  write(offset: number, data: Buffer): Promise<void>;
  read(offset: number, length: number): Promise<Buffer>;
  close(): Promise<void>;
}

/** Where exports of a target are made and used. Its hosts are names that are admitted or not. */
export interface Subject {
  /** A target as a daemon that has just started has it, set up. */
  target(): Promise<Target>;
  /** A volume of 1 MiB or more with storage of its own, to be exported to every host, or to the first where a target takes no other. */
  volume(): Promise<ExportSpec>;
  hosts: readonly [string, string];
  /** Default: the storage is a file of this host. */
  removeStorage?(spec: ExportSpec): Promise<void>;
  /** Returns the new size in bytes. Default: the storage is a file of this host. */
  grow?(spec: ExportSpec): Promise<number>;
  /** Throws where the host is not admitted. */
  login(spec: ExportSpec, host: string, chap?: Chap): Promise<HostSession>;
  /** The hosts that have the export open now, as the target sees them. */
  users(spec: ExportSpec): Promise<string[]>;
  /** Whether it exports nothing read-only, because it could not keep a host from writing. */
  refusesReadOnly?: boolean;
  /** Whether who knows the secret is admitted, whatever its name is. */
  isSecretEnough?: boolean;
}

export interface Case {
  title: string;
  /** What a target without it has no such case for. */
  needs?: 'chap';
  run: (subject: Subject) => Promise<void>;
}

const data = Buffer.alloc(4096, 0xa5);
const chap: Chap = { user: 'user123456789012', secret: 'secret1234567890' };

/** Returns what a target must do. Plain assertions, so that the same list runs where there is no test runner. */
export function casesOf({ authentication }: Pick<Target, 'authentication'>): readonly Case[] {
  return cases.filter(({ needs }) => needs === undefined || needs === authentication);
}

const cases: readonly Case[] = [
  {
    title: 'an export serves its storage, and is listed as specified; to ensure it twice changes nothing',
    run: async (subject) => {
      const target = await subject.target();
      const spec = await subject.volume();
      await target.ensureExport(spec);
      const session = await subject.login(spec, subject.hosts[0]);
      await session.write(8192, data);
      await target.ensureExport(spec);
      assert.deepEqual(await session.read(8192, data.length), data);
      assert.deepEqual(await found(target, spec.id), spec);
      assert.deepEqual(await target.listTraces(), [spec.id]);
      await session.close();
      await target.removeExport(spec.id);
    },
  },
  {
    title: 'of many daemons and requests at once each has the same export',
    run: async (subject) => {
      const targets = [await subject.target(), await subject.target()];
      const specs = await Promise.all([subject.volume(), subject.volume(), subject.volume()]);
      await Promise.all(specs.flatMap((spec) => Array.from({ length: 4 }, async () => targets[0]?.ensureExport(spec))));
      for (const spec of specs) {
        await targets[1]?.ensureExport(spec);
        const exports = (await targets[0]?.listExports()) ?? [];
        assert.equal(exports.filter(({ id }) => id === spec.id).length, 1);
      }
      for (const { id } of specs) await targets[0]?.removeExport(id);
    },
  },
  {
    title: 'only the hosts of an export can use it; those of a later one replace them before it resolves',
    run: async (subject) => {
      const target = await subject.target();
      const [one, other] = subject.hosts;
      const spec = { ...(await subject.volume()), hosts: [one] };
      await target.ensureExport(spec);
      const session = await subject.login(spec, one);
      await assert.rejects(subject.login(spec, other));
      await target.ensureExport({ ...spec, hosts: [one, other].toSorted() });
      assert.deepEqual(await subject.users(spec), [one], 'who stays admitted is not interrupted');
      await session.write(0, data);
      await target.ensureExport({ ...spec, hosts: [other] });
      assert.deepEqual(await subject.users(spec), []);
      await assert.rejects(session.write(0, Buffer.alloc(512)));
      await assert.rejects(subject.login(spec, one));
      const second = await subject.login(spec, other);
      assert.deepEqual(await second.read(0, data.length), data);
      assert.deepEqual((await found(target, spec.id))?.hosts, [other]);
      await second.close();
      await session.close();
      await target.removeExport(spec.id);
    },
  },
  {
    title: 'a read-only export can be read and not written, and can become writable; or it is refused',
    run: async (subject) => {
      const target = await subject.target();
      const spec = { ...(await subject.volume()), readOnly: true };
      if (subject.refusesReadOnly) {
        await target.ensureExport({ ...spec, readOnly: false });
        await assert.rejects(target.ensureExport(spec), { code: 'ExportFailed', message: /read-only/ });
        await assert.rejects(subject.login(spec, subject.hosts[0]), 'it is not served with the right to write either');
        assert.deepEqual(await target.listTraces(), []);
        return;
      }
      await target.ensureExport(spec);
      assert.equal((await found(target, spec.id))?.readOnly, true);
      const session = await subject.login(spec, subject.hosts[0]);
      await assert.rejects(session.write(0, data));
      assert.deepEqual(await session.read(0, 512), Buffer.alloc(512));
      await session.close();
      await target.ensureExport({ ...spec, readOnly: false });
      const writer = await subject.login(spec, subject.hosts[0]);
      await writer.write(0, data);
      await writer.close();
      await target.removeExport(spec.id);
    },
  },
  {
    title: 'with a secret a host needs the secret as well; another secret ends the sessions of the first',
    needs: 'chap',
    run: async (subject) => {
      const target = await subject.target();
      const [host] = subject.hosts;
      const spec = { ...(await subject.volume()), hosts: [host], chap };
      await target.ensureExport(spec);
      await assert.rejects(subject.login(spec, host));
      await assert.rejects(subject.login(spec, host, { ...chap, secret: 'secret1234567891' }));
      if (!subject.isSecretEnough) await assert.rejects(subject.login(spec, subject.hosts[1], chap));
      const session = await subject.login(spec, host, chap);
      await session.write(0, data);
      assert.deepEqual(await found(target, spec.id), spec);
      const next = { user: 'user123456789013', secret: 'secret1234567892' };
      await target.ensureExport({ ...spec, chap: next });
      assert.deepEqual(await subject.users(spec), []);
      await assert.rejects(subject.login(spec, host, chap));
      await (await subject.login(spec, host, next)).close();
      await session.close();
      await target.removeExport(spec.id);
    },
  },
  {
    title: 'a removed export is gone with its sessions; to remove it twice, or one that never was, succeeds',
    run: async (subject) => {
      const target = await subject.target();
      const spec = await subject.volume();
      const [host] = subject.hosts;
      await target.removeExport(spec.id);
      await target.ensureExport(spec);
      const session = await subject.login(spec, host);
      await target.removeExport(spec.id);
      await assert.rejects(session.write(0, data));
      await assert.rejects(subject.login(spec, host));
      assert.equal(await found(target, spec.id), undefined);
      assert.deepEqual(await target.listTraces(), []);
      await target.removeExport(spec.id);
      await session.close();
    },
  },
  {
    title: 'an export of storage that is absent is ExportFailed, and is not there',
    run: async (subject) => {
      const target = await subject.target();
      const spec = await subject.volume();
      await (subject.removeStorage ? subject.removeStorage(spec) : rm(spec.path));
      await assert.rejects(target.ensureExport(spec), { code: 'ExportFailed' });
      assert.equal(await found(target, spec.id), undefined);
      await target.removeExport(spec.id);
      assert.deepEqual(await target.listTraces(), []);
    },
  },
  {
    title: 'storage that has grown is served with its new size to the same hosts; the request can be repeated',
    run: async (subject) => {
      const target = await subject.target();
      const [host] = subject.hosts;
      const secret = secretFor(target);
      const spec = { ...(await subject.volume()), hosts: [host], ...(secret ? { chap: secret } : {}) };
      await target.ensureExport(spec);
      const session = await subject.login(spec, host, secret);
      await session.write(0, data);
      await session.close();
      const size = await (subject.grow ? subject.grow(spec) : growFile(spec));
      for (const request of ['first', 'second']) {
        await target.resizeExport(spec);
        const later = await subject.login(spec, host, secret);
        assert.equal((await later.read(size - 512, 512)).length, 512, request);
        assert.deepEqual(await later.read(0, data.length), data);
        await later.close();
        assert.deepEqual(await found(target, spec.id), spec);
      }
      await assert.rejects(subject.login(spec, subject.hosts[1]));
      await target.removeExport(spec.id);
    },
  },
  {
    title: 'exports outlive the daemon: the next one finds them with their rights and interrupts nobody',
    run: async (subject) => {
      const before = await subject.target();
      const [host] = subject.hosts;
      const secret = secretFor(before);
      const spec = { ...(await subject.volume()), hosts: [host], ...(secret ? { chap: secret } : {}) };
      await before.ensureExport(spec);
      const session = await subject.login(spec, host, secret);
      await before.close();
      await session.write(0, data);
      const after = await subject.target();
      assert.deepEqual(await found(after, spec.id), spec);
      await after.ensureExport(spec);
      assert.deepEqual(await subject.users(spec), [host]);
      assert.deepEqual(await session.read(0, data.length), data);
      await session.close();
      await after.removeExport(spec.id);
    },
  },
];

function secretFor({ authentication }: Target): Chap | undefined {
  return authentication === 'chap' ? chap : undefined;
}

async function growFile({ path }: ExportSpec): Promise<number> {
  const size = 2 * 2 ** 20;
  await truncate(path, size);
  return size;
}

async function found(target: Target, id: string): Promise<FoundExport | undefined> {
  return (await target.listExports()).find((one) => one.id === id);
}

/** Waits until the target has the export again with that data, and returns who uses it. */
export async function untilServed(subject: Subject, spec: ExportSpec, host: string, expected: Buffer): Promise<void> {
  await until(async () => {
    const session = await subject.login(spec, host, spec.chap);
    const read = await session.read(0, expected.length);
    await session.close();
    return read.equals(expected);
  }, `volume ${spec.id} is served again`);
}
