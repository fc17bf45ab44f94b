import test from 'ava';
import { execa } from 'execa';

test('the launcher is sound under strict', async (t) => {
  const script = new URL('../../../../lib/targets/aoe/launcher.pl', import.meta.url);
  await t.notThrowsAsync(execa('perl', ['-Mstrict', '-c', script.pathname]));
});
