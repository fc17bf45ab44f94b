import test from 'ava';
import { parseAnswers } from '../../../../lib/targets/aoe/discover.ts';

test('answers are sorted by number, and one that came twice is there once', (t) => {
  t.deepEqual(
    parseAnswers(
      '70 2 52:54:00:77:00:01\n70 10 52:54:00:77:00:01\n7 254 52:54:00:77:00:02\n70 2 52:54:00:77:00:01\ndone\n',
    ),
    [
      { shelfId: 7, bladeId: 254, mac: '52:54:00:77:00:02' },
      { shelfId: 70, bladeId: 2, mac: '52:54:00:77:00:01' },
      { shelfId: 70, bladeId: 10, mac: '52:54:00:77:00:01' },
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
