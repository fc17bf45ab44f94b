import test from 'ava';
import { execa } from 'execa';

test('the launcher passes perl -c under strict', async (t) => {
  const script = new URL('../../../../lib/targets/aoe/launcher.pl', import.meta.url);
  await t.notThrowsAsync(execa('perl', ['-Mstrict', '-c', script.pathname]));
});
