import { userInfo } from 'node:os';
import test from 'ava';
import { z } from 'zod';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

const eventSchema = z.looseObject({
  event: z.string(),
  volume: z.string(),
  key: z.string(),
  by: z.string().nullable(),
  durationMs: z.number().nullable(),
  fault: z.object({ code: z.string() }).nullable(),
});

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

function eventsIn(text: string) {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => eventSchema.parse(JSON.parse(line)));
}

test.serial('what begins and ends is printed, with who asked, and how long it took', async (t) => {
  t.is((await place.run('events')).stderr, 'no events');
  await place.daemon('n1');
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', 'data', '--project', 'web');
  await place.run('volume', 'attach', 'data', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  await place.run('volume', 'detach', 'data');
  await place.run('volume', 'delete', 'data');
  const { stdout: other } = await place.run('volume', 'create', '1');

  const events = eventsIn((await place.run('events', '--json')).stdout);
  const ofOne = events.filter(({ volume }) => volume === id);
  t.deepEqual(
    ofOne.map(({ event }) => event),
    ['create', 'attach', 'detach', 'delete'].flatMap((kind) => [`volume.${kind}.start`, `volume.${kind}.end`]),
  );
  const [begin, end] = ofOne;
  t.regex(begin?.by ?? '', new RegExp(`^${userInfo().username}@.`));
  t.like(begin, { durationMs: null, fault: null, name: 'data', projectId: 'web', node: 'n1' });
  t.is(end?.key, begin?.key);
  t.true((end?.durationMs ?? -1) >= 0);

  t.deepEqual(
    eventsIn((await place.run('events', '--json', '--volume', id)).stdout),
    ofOne,
    'of a deleted one by its id',
  );
  t.deepEqual(eventsIn((await place.run('events', '--json', '--limit', '1')).stdout), events.slice(-1));
  const { stdout: shown } = await place.run('events', '--volume', other);
  t.regex(shown, new RegExp(`volume\\.create\\.start +${other} +default +n1 +${userInfo().username}@`));
  t.regex(shown, /volume\.create\.end .* \d+ ms|volume\.create\.end .* \d/);
});

test.serial('further events are printed as they come, until Ctrl-C', async (t) => {
  const follower = place.begin('events', '--follow', '--json', '--limit', '1');
  let printed = '';
  follower.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text));
  await until(() => printed !== '', 'the last event is printed');
  const { stdout: id } = await place.run('volume', 'create', '1');
  const ofNew = () => eventsIn(printed.slice(0, printed.lastIndexOf('\n') + 1)).filter(({ volume }) => volume === id);
  await until(() => ofNew().length === 2, 'its creation is followed');
  follower.kill('SIGINT');
  await follower;
  t.deepEqual(
    ofNew().map(({ event }) => event),
    ['volume.create.start', 'volume.create.end'],
  );
});
