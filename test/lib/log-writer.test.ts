import { PassThrough } from 'node:stream';
import test from 'ava';
import type { LogFormat } from '../../lib/log.ts';
import { createLog } from '../../lib/log-writer.ts';

async function logged(format: LogFormat, secrets: string[] = []): Promise<string[]> {
  const stream = new PassThrough();
  const log = createLog({ level: 'info', format, secrets, stream });
  log.info('volume created', { volume: 'v1', size: 3 });
  log.debug('not shown');
  log.error('password is hunter2', { url: 'redis://:hunter2@host' });
  await log.close();
  return String(stream.read()).trim().split('\n');
}

test('JSON lines contain time, level, message and fields', async (t) => {
  const [first = '', ...rest] = await logged('json');
  t.like(JSON.parse(first), { level: 'info', message: 'volume created', volume: 'v1', size: 3 });
  t.is(rest.length, 1, 'what is below the level is not written');
});

test('journald lines begin with the priority', async (t) => {
  t.regex((await logged('journald')).join('\n'), /^<6>volume created volume=v1 size=3\n<3>password/);
});

test('human lines contain time of day, level, message and fields', async (t) => {
  t.regex((await logged('human'))[0] ?? '', /^\d\d:\d\d:\d\d info {2}volume created volume=v1 size=3$/);
});

test('secrets are masked', async (t) => {
  for (const format of ['human', 'json', 'journald'] as const) {
    const text = (await logged(format, ['hunter2', ''])).join('\n');
    t.false(text.includes('hunter2'));
    t.true(text.includes('redis://:***@host'));
  }
});
