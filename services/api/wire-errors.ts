import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { type BlockstoreError, errors } from '../../lib/errors.ts';
import { errorAnswer } from './error-answer.ts';

export function newRequestId(): string {
  return `req-${randomUUID()}`;
}

/** Answers a client that sends no request that can be read, and closes its connection. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  const isUnreadable = error.code === 'ECONNRESET' || isOfTls(error.code);
  if (isUnreadable || !socket.writable) return void socket.destroy(error);
  answerOnWire(socket, errorFor(error.code));
}

/** Writes an answer to a connection that has no request, and closes it. */
export function answerOnWire(socket: Socket, error: BlockstoreError): void {
  const { status, body, headers } = errorAnswer(error);
  const text = JSON.stringify(body);
  const lines = Object.entries({
    ...headers,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'x-openstack-request-id': newRequestId(),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`, () =>
    socket.destroy(),
  );
}

/** The client did not complete a handshake: it cannot read an answer. */
function isOfTls(code: string | undefined): boolean {
  return /^(ERR_SSL_|ERR_TLS_|EPROTO)/.test(code ?? '');
}

function errorFor(code: string | undefined): BlockstoreError {
  if (code === 'HPE_HEADER_OVERFLOW') return errors.headerTooLarge();
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return errors.requestTooSlow();
  return errors.invalidRequest(['the request is not valid HTTP']);
}
