import test from 'ava';
import { vbladeFailure } from '../../../../lib/targets/aoe/failures.ts';

const failures: [output: string, code: string, message: RegExp][] = [
  ['eth9: No such device\n', 'InterfaceDown', /eth9 does not exist/],
  [
    'pid 7: e7.1, 20480 sectors O_RDWR\nputpkt aoe id: Network is down\nread network: Network is down\n',
    'InterfaceDown',
    /eth9 is down/,
  ],
  ['got bad socket: Operation not permitted\n', 'NoRawSocket', /raw socket on eth9/],
  ['failed to execute vblade: No such file or directory\n', 'CommandNotFound', /vblade is not installed/],
  ['open: No such file or directory\n', 'ExportFailed', /volume v1.*: open: No such file or directory$/],
  ['open: Invalid argument\n', 'ExportFailed', /no direct I\/O/],
  ['0-sector file size is too small\n', 'ExportFailed', /0-sector file size is too small$/],
  ['', 'ExportFailed', /vblade ended without a word$/],
];

for (const [output, code, message] of failures) {
  test(`${JSON.stringify(output)} is ${code}`, (t) => {
    const error = vbladeFailure('v1', 'eth9', output);
    t.is(error.code, code);
    t.regex(error.message, message);
    t.truthy(error.hint);
  });
}
