import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { z } from 'zod';
import { median, timesOf } from './figures.ts';
import { HttpConnection } from './http-connection.ts';

/** Milliseconds of a request, one at a time, to another process that has nothing but this text to answer. */
export async function bareAnswers(text: string, count: number): Promise<number> {
  const other = fork(import.meta.filename, ['serve']);
  try {
    other.send(text);
    const [port] = z
      .tuple([z.number()])
      .rest(z.unknown())
      .parse(await once(other, 'message'));
    const connection = await HttpConnection.open(port);
    const get = () => connection.send('GET', '/');
    await timesOf(count, get); // warm
    const ms = median(await timesOf(count, get));
    connection.close();
    return ms;
  } finally {
    other.kill('SIGKILL');
    await once(other, 'exit');
  }
}

/** The other process. */
async function serve(): Promise<void> {
  const [text] = z
    .tuple([z.string()])
    .rest(z.unknown())
    .parse(await once(process, 'message'));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
  const server = createServer((_request, response) => response.writeHead(200, headers).end(text));
  server.listen(0, '127.0.0.1', () => {
    const address = server.address();
    if (typeof address === 'object' && address !== null) process.send?.(address.port);
  });
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'serve') await serve();
