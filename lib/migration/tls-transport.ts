import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { closing } from '../drivers/open-data.ts';
import { type BlockstoreError, asError, errors } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';
import { writeAnswer } from './answers.ts';
import { receiveData } from './receive.ts';
import { sendData } from './send.ts';
import type { Destination, MigratedStorage, MigrationTransport, Receiver, SendOptions } from './transport.ts';

/** A connection that is silent for so long is broken. */
const silentMs = 120_000;
const handshakeMs = 10_000;
const answerEveryMs = 1000;

/** Both nodes have the key from the migration's record: it proves each to the other, and encrypts the data. */
const security = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

export interface TlsTransportOptions {
  processes: Processes;
  log: Log;
  /** The address of this node that others reach. */
  address: () => string;
  /** 0 = one that is free. */
  port: number;
  /** Of what this node sends, at most; 0 = as fast as possible. */
  bytesPerS: number;
}

interface Connection {
  end: () => void;
  ended: Promise<void>;
}

/** Sends the data of migrations over TCP, with TLS. */
export class TlsTransport implements MigrationTransport {
  private readonly options: TlsTransportOptions;
  private server: tls.Server | undefined;
  private endpoint: Promise<string> | undefined;
  private find: (migration: string) => Receiver | undefined = () => undefined;
  /** By the ids of their migrations. */
  private readonly connections = new Map<string, Connection>();

  constructor(options: TlsTransportOptions) {
    this.options = options;
  }

  async send(to: Destination, storage: MigratedStorage, options: SendOptions): Promise<void> {
    const { processes, bytesPerS } = this.options;
    const { signal } = options;
    const { host, port } = parseEndpoint(to.endpoint);
    signal.throwIfAborted();
    const socket = tls.connect({
      ...security,
      host,
      port,
      pskCallback: () => ({ identity: to.migration, psk: Buffer.from(to.key, 'hex') }),
      checkServerIdentity: () => undefined, // it has no certificate: the key proves it
    });
    const broken = brokenBy(socket);
    const abort = () => socket.destroy();
    signal.addEventListener('abort', abort, { once: true });
    let sending: Promise<void> | undefined;
    try {
      await Promise.race([once(socket, 'secureConnect', { signal }), broken]);
      sending = sendData(processes, socket, storage, { ...options, bytesPerS });
      await Promise.race([sending, broken]);
    } catch (thrown) {
      socket.destroy();
      // Also what it has begun has ended then: the volume may be about to be served again.
      const reason = await sending?.then(
        () => undefined,
        (error: unknown) => error,
      );
      signal.throwIfAborted();
      for (const error of [reason ?? thrown, thrown].map(asError)) {
        if (error.code !== 'Internal' && error.code !== 'SystemRefused') throw error;
      }
      throw errors.migrationFailed(storage.volume, to.endpoint, reasonOf(thrown));
    } finally {
      signal.removeEventListener('abort', abort);
      socket.destroy();
    }
  }

  listen(find: (migration: string) => Receiver | undefined): Promise<string> {
    this.find = find;
    this.endpoint ??= this.open().catch((error: unknown) => {
      this.endpoint = undefined;
      throw error;
    });
    return this.endpoint;
  }

  async disconnect(migration: string): Promise<void> {
    const connection = this.connections.get(migration);
    connection?.end();
    await connection?.ended;
  }

  async close(): Promise<void> {
    this.server?.close();
    this.server = undefined;
    this.endpoint = undefined;
    await Promise.all([...this.connections.keys()].map((migration) => this.disconnect(migration)));
  }

  private async open(): Promise<string> {
    const { port, address, log } = this.options;
    const host = address();
    const names = new WeakMap<tls.TLSSocket, string>();
    const server = tls.createServer({
      ...security,
      handshakeTimeout: handshakeMs,
      pskCallback: (socket, identity) => {
        const receiver = this.find(identity);
        if (!receiver) return null;
        names.set(socket, identity);
        return Buffer.from(receiver.key, 'hex');
      },
    });
    server.on('secureConnection', (socket) => {
      socket.on('error', () => {}); // the end of what is received reports it
      const migration = names.get(socket);
      if (migration === undefined) socket.destroy();
      else this.accept(migration, socket);
    });
    // Anybody can connect; who has no key is not worth a line.
    server.on('tlsClientError', ({ message }) => log.debug('a connection for a migration failed', { reason: message }));
    server.listen({ host, port });
    try {
      await once(server, 'listening');
    } catch (error) {
      throw errors.listensNowhere(`${host} port ${port}`, reasonOf(error));
    }
    server.on('error', (error) => log.warn(`migrations cannot be received: ${error.message}`));
    this.server = server;
    return formatEndpoint(host, portOf(server.address()));
  }

  /** A later connection for the same migration takes the place of an earlier one, whose node may be gone. */
  private accept(migration: string, socket: tls.TLSSocket): void {
    const before = this.connections.get(migration);
    const ending = new AbortController();
    const end = () => {
      ending.abort();
      socket.destroy();
    };
    before?.end();
    const ended = (async () => {
      await before?.ended;
      const receiver = this.find(migration);
      if (receiver) await this.receive(receiver, socket, ending.signal);
    })()
      .catch((error: unknown) => {
        this.options.log.debug('what a migration sent was not received', { migration, reason: reasonOf(error) });
      })
      .finally(() => {
        socket.end();
        if (this.connections.get(migration) === connection) this.connections.delete(migration);
      });
    const connection = { end, ended };
    this.connections.set(migration, connection);
  }

  private async receive(receiver: Receiver, socket: tls.TLSSocket, signal: AbortSignal): Promise<void> {
    const broken = new AbortController();
    void brokenBy(socket).catch(() => broken.abort());
    const either = AbortSignal.any([signal, broken.signal]);
    let answeredAt = 0;
    const progress = (percent: number) => {
      if (performance.now() - answeredAt < answerEveryMs) return;
      answeredAt = performance.now();
      writeAnswer(socket, { percent });
    };
    try {
      const { volume, sizeBytes, isBlank } = receiver;
      await closing(await receiver.open(either), async (path) => {
        either.throwIfAborted();
        receiver.isBlank = false;
        const storage = { volume, path, sizeBytes, isBlank };
        await receiveData(this.options.processes, socket, storage, { signal: either, progress });
      });
    } catch (error) {
      if (!either.aborted) writeAnswer(socket, { fault: reported(receiver.volume, error).toFault() });
      throw error;
    }
  }
}

/** As the other node and its users get it. */
function reported(volume: string, error: unknown): BlockstoreError {
  const known = asError(error);
  return known.code === 'MigrationFailed' ? known : errors.notReceived(volume, reasonOf(error));
}

/** Rejects when the connection breaks. */
function brokenBy(socket: tls.TLSSocket): Promise<never> {
  socket.setTimeout(silentMs, () => socket.destroy(new Error(`nothing was heard for ${silentMs / 1000} s`)));
  const { promise, reject } = Promise.withResolvers<never>();
  socket.once('error', reject);
  socket.once('close', () => reject(new Error('the connection was closed')));
  promise.catch(() => undefined);
  return promise;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  // What OpenSSL calls it says nothing to anybody.
  return /decrypt error|handshake failure|unknown psk/i.test(message) ? 'it does not know this migration' : message;
}

function formatEndpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function parseEndpoint(endpoint: string): { host: string; port: number } {
  const [, host = '', port = ''] = /^\[?([^\]]+)\]?:(\d{1,5})$/.exec(endpoint) ?? [];
  return { host, port: Number(port) };
}

function portOf(address: AddressInfo | string | null): number {
  return address !== null && typeof address === 'object' ? address.port : 0;
}
