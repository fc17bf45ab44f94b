import test from 'ava';
import { scripts } from '../../lib/redis/script-sources.ts';
import { faultsOf } from '../../tools/lint-lua.ts';

function faultsIn(source: string): Promise<string[]> {
  return faultsOf(new Map([['probe', { source }]]));
}

test('every script is clean as it is sent to Redis', async (t) => {
  t.true(scripts.size > 5);
  t.deepEqual(await faultsOf(scripts), []);
});

test('a fault names the script, its kind and the line', async (t) => {
  t.deepEqual(await faultsIn('return { missing(ARGV[1]) }'), [
    "script probe: accessing undefined variable 'missing': return { missing(ARGV[1]) }",
  ]);
  t.regex((await faultsIn('local function unused() end\nreturn 1')).join(), /unused function 'unused'/);
  t.regex((await faultsIn('total = 1')).join(), /setting non-standard global variable 'total'/);
  t.regex((await faultsIn('return 1 +')).join(), /expected expression/);
});

test('what Redis keeps from scripts is a fault', async (t) => {
  for (const call of ["io.open('/etc/passwd')", "require('socket')", "os.execute('true')", 'loadstring(ARGV[1])']) {
    t.is((await faultsIn(`return ${call}`)).length, 1, call);
  }
  t.deepEqual(await faultsIn("return redis.call('GET', KEYS[1])"), []);
});
