import test from 'ava';
import { parseAnswers } from '../../../../lib/targets/aoe/discover.ts';

test('answers are sorted by address, and one that came twice is there once', (t) => {
  t.deepEqual(
    parseAnswers(
      '70 2 52:54:00:77:00:01\n70 10 52:54:00:77:00:01\n7 254 52:54:00:77:00:02\n70 2 52:54:00:77:00:01\ndone\n',
    ),
    [
      { address: 'e7.254', host: '52:54:00:77:00:02' },
      { address: 'e70.2', host: '52:54:00:77:00:01' },
      { address: 'e70.10', host: '52:54:00:77:00:01' },
    ],
  );
});

test('no answer is an empty list', (t) => {
  t.deepEqual(parseAnswers('done\n'), []);
});

test('a line that is no answer is not passed over', (t) => {
  for (const line of ['hello', '7 1', '7 1 52:54:00:77:00', '-7 1 52:54:00:77:00:01', '7 1 52:54:00:77:00:01 x']) {
    t.throws(() => parseAnswers(`${line}\ndone\n`), { code: 'AnswerUnreadable' });
  }
});
