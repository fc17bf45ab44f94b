import { type RequestListener, type Server, type ServerOptions, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { errors } from '../../lib/errors.ts';
import type { ServerCertificate } from './certificate.ts';
import { addressKey } from './request-limits.ts';
import { answerOnWire } from './wire-errors.ts';

/** A client that begins no handshake, or none that ends, is cut off. */
const handshakeMs = 10_000;
/** Altogether: further ones are closed at once. */
const maxConnections = 8192;
/** The first byte of a connection of TLS. */
const handshakeByte = 0x16;

/** Connections whose handshake is not complete: a stop does not wait for them. */
export type Handshakes = Set<Socket>;

interface HttpServerOptions {
  certificate: ServerCertificate | undefined;
  handshakes: Handshakes;
  /** Connections that one address may have open. */
  perAddress: number;
}

/** Returns a server of HTTP, of HTTPS where there is a certificate. */
export function makeHttpServer(
  listener: RequestListener,
  options: ServerOptions,
  { certificate, handshakes, perAddress }: HttpServerOptions,
): Server {
  const admits = connectionLimit(perAddress);
  if (!certificate) {
    const plain = createServer(options, listener);
    plain.maxConnections = maxConnections;
    plain.prependListener('connection', (socket: Socket) => {
      if (admits(socket)) return;
      socket.on('error', () => socket.destroy());
      answerOnWire(socket, errors.tooManyConnections(perAddress));
    });
    return plain;
  }
  const server = createTlsServer(
    { ...options, ...certificate.options, handshakeTimeout: handshakeMs, ALPNProtocols: ['http/1.1'] },
    listener,
  );
  server.maxConnections = maxConnections;
  certificate.addServer(server);
  beginByFirstByte(server, { handshakes, admits });
  return server;
}

/** Returns whether a new connection is one of at most so many of its address. */
function connectionLimit(perAddress: number): (socket: Socket) => boolean {
  const open = new Map<string, number>();
  return (socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return true; // it is gone
    const address = addressKey(remoteAddress);
    const count = open.get(address) ?? 0;
    if (count >= perAddress) return false;
    open.set(address, count + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left === 0) open.delete(address);
      else open.set(address, left);
    });
    return true;
  };
}

/** Answers clients that speak HTTP to a server of TLS in a way that they understand. */
function beginByFirstByte(
  server: Server,
  { handshakes, admits }: { handshakes: Handshakes; admits: (socket: Socket) => boolean },
): void {
  const [begin, ...others] = server.listeners('connection');
  if (!begin || others.length > 0) throw new Error('a server of TLS has one listener for connections');
  server.removeAllListeners('connection');
  const byClient = new Map<string, Socket>();
  server.on('secureConnection', (secure: TLSSocket) => {
    const socket = byClient.get(clientOf(secure));
    if (socket) handshakes.delete(socket);
  });
  server.on('connection', (socket: Socket) => {
    if (!admits(socket)) {
      socket.destroy();
      return;
    }
    const client = clientOf(socket);
    const end = () => socket.destroy();
    const waiting = setTimeout(end, handshakeMs);
    handshakes.add(socket);
    byClient.set(client, socket);
    socket.once('close', () => {
      clearTimeout(waiting);
      handshakes.delete(socket);
      if (byClient.get(client) === socket) byClient.delete(client);
    });
    socket.on('error', end);
    socket.once('readable', () => {
      clearTimeout(waiting);
      const first: unknown = socket.read(1);
      if (!Buffer.isBuffer(first)) return end();
      socket.unshift(first);
      if (first[0] !== handshakeByte) return answerOnWire(socket, errors.tlsRequired());
      socket.off('error', end);
      begin.call(server, socket);
    });
  });
}

/** The address and port of a client, which the connection has before and after its handshake. */
function clientOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
