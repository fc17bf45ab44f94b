import test from 'ava';
import * as fc from 'fast-check';
import { AnswerReader, parseAnswer } from '../../../../lib/drivers/lvm/answer.ts';

const report = `  {
      "report": [
          {
              "lv": [
                  {"lv_name":"a, ]", "lv_tags":"x,y"},
                  {"lv_name":"{b", "lv_tags":""},
              ]
          }
      ]
      ,
      "log": [
      ]
  }
`;
const rows = [
  { lv_name: 'a, ]', lv_tags: 'x,y' },
  { lv_name: '{b', lv_tags: '' },
];

test('reports are the same however the stream is split and whatever warnings it has', (t) => {
  const lines = report.split('\n').slice(0, -1);
  const noise = fc.constantFrom('WARNING: a }', 'File descriptor 3 leaked', '', '  Reading...');
  fc.assert(
    fc.property(
      fc.array(fc.nat(report.length * 2)),
      fc.array(fc.tuple(fc.nat(lines.length), noise)),
      (cuts, strays) => {
        const noisy = [...lines];
        for (const [place, line] of strays) noisy.splice(place, 0, line);
        const stream = `${noisy.join('\n')}\n${report}`;
        const reader = new AnswerReader();
        const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        const texts = places.flatMap((place, index) => reader.feed(stream.slice(place, places[index + 1] ?? place)));
        t.deepEqual(
          texts.map((text) => parseAnswer(text).rows),
          [rows, rows],
        );
      },
    ),
  );
});

test('without errors the warnings are the messages', (t) => {
  const text = '{"log":[{"log_type":"warn","log_object_type":"vg","log_message":" odd ","log_ret_code":"0"}]}';
  t.deepEqual(parseAnswer(text), { status: 0, rows: [], reported: false, messages: ['odd'] });
});

test('a failure row within a successful command is no failure', (t) => {
  const row = { log_type: 'status', log_object_type: 'lv', log_message: 'failure', log_ret_code: '5' };
  t.is(parseAnswer(JSON.stringify({ log: [row] })).status, 0);
  t.is(parseAnswer(JSON.stringify({ log: [row, { ...row, log_object_type: 'cmd' }] })).status, 5);
});

test('invalid reports are refused', (t) => {
  for (const text of ['', '{', '{"report": 1}', '{"log": [{}]}']) t.throws(() => parseAnswer(text));
});
