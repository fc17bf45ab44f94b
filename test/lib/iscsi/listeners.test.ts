import { once } from 'node:events';
import { createServer } from 'node:net';
import test from 'ava';
import { listenerOn } from '../../../lib/iscsi/listeners.ts';
import { freePort } from '../../support/free-port.ts';

for (const [host, isInTheWay] of [
  ['127.0.0.1', { '127.0.0.1': true, '127.0.0.2': false, '::1': false }],
  ['0.0.0.0', { '127.0.0.1': true, '127.0.0.2': true, '::1': false }],
  ['::', { '127.0.0.1': true, '::1': true }],
  ['::1', { '127.0.0.1': false, '::1': true, '2001:db8::2': false }],
] as const) {
  test(`a program that listens on ${host} is found where it is in the way`, async (t) => {
    const port = await freePort();
    const server = createServer().listen(port, host);
    await once(server, 'listening');
    t.teardown(() => server.close());
    for (const [ip, expected] of Object.entries(isInTheWay)) {
      const found = await listenerOn({ ip, port });
      if (expected) t.true(found?.endsWith(`(process ${process.pid})`), `${ip}: ${found}`);
      else t.is(found, undefined, ip);
    }
  });
}
