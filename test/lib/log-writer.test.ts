import { PassThrough } from 'node:stream';
import test from 'ava';
import { execa } from 'execa';
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
  const script = `
    import { createLog } from ${JSON.stringify(new URL('../../lib/log-writer.ts', import.meta.url).href)};
    createLog({ level: 'info', format: 'human' }).info(String(new Date().getHours()).padStart(2, '0'));`;
  const { stderr } = await execa(process.execPath, ['-e', script], { env: { TZ: 'XXX-5' } });
  t.regex(stderr, /^(\d\d):\d\d:\d\d info {2}\1$/, 'in local time');
});

test('secrets are masked', async (t) => {
  for (const format of ['human', 'json', 'journald'] as const) {
    const text = (await logged(format, ['hunter2', ''])).join('\n');
    t.false(text.includes('hunter2'));
    t.true(text.includes('redis://:***@host'));
  }
});

test('a secret is masked in the forms that JSON and URLs give it', async (t) => {
  const secret = 'pa"s\\s/ü';
  const stream = new PassThrough();
  const log = createLog({ level: 'info', format: 'json', secrets: [secret], stream });
  log.info(`raw ${secret}`, { json: JSON.stringify({ secret }), url: `redis://:${encodeURIComponent(secret)}@host` });
  await log.close();
  const text = String(stream.read());
  t.deepEqual(JSON.parse(text).message, 'raw ***');
  t.notRegex(text, /pa"|pa\\|pa%/);
});

test('a line is one line without control characters, whatever was written into it', async (t) => {
  for (const format of ['human', 'journald', 'json'] as const) {
    const stream = new PassThrough();
    const log = createLog({ level: 'info', format, stream });
    log.info('name \u001B[2J', { words: 'one\r\ntwo\u202E' });
    await log.close();
    const [line = '', ...others] = String(stream.read()).split('\n');
    t.deepEqual(others, [''], format);
    t.regex(line, /^[ -~]*$/, format);
    t.regex(line, /one.*two/, format);
  }
});

test('repeated lines are limited, and the end of the log writes what it holds back', async (t) => {
  const stream = new PassThrough();
  const log = createLog({ level: 'info', format: 'human', stream });
  for (let count = 0; count < 5; count += 1) log.error('Redis is unreachable', { hint: 'start it' });
  await log.close();
  const lines = String(stream.read()).trim().split('\n');
  t.is(lines.length, 2);
  t.regex(lines[1] ?? '', /Redis is unreachable hint=start it repeated=4$/);
});
