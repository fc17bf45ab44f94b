import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { printConfig, sampleConfig, secretsOf } from '../../../lib/flags/print.ts';
import { fileWith, problemsOf } from './place.ts';

const pair = ['volume_driver=solaris', 'volume_target=solaris'];
const solaris = [...pair, 'san_ip=192.0.2.9', 'san_password=hunter2'];
/** Of a daemon: the last value of a flag is used. */
const argv = (pairs: readonly string[]) => pairs.map((text) => `--${text}`);

test('storage over SSH needs an address, a way to log in, and the target of its kind', (t) => {
  t.notThrows(() => loadFlags({ set: solaris }));
  t.notThrows(() => loadFlags({ argv: argv([...pair, 'volume_target=none', 'san_ip=::1', 'san_private_key=/key']) }));
  t.notThrows(() => loadFlags({ set: [...pair, 'san_ip=192.0.2.9', 'san_is_local=true'] }));
  t.deepEqual(problemsOf(t, { set: pair }), [
    'volume_driver = solaris requires san_ip',
    'volume_driver = solaris requires san_password or san_private_key',
  ]);
  const problems = (...more: string[]) => problemsOf(t, { argv: argv([...solaris, ...more]) });
  t.deepEqual(problems('volume_target=aoe'), ['volume_driver = solaris requires volume_target = solaris or none']);
  t.deepEqual(problems('volume_driver=lvm'), ['volume_target = solaris requires volume_driver = solaris']);
});

test('odd values of the flags of storage over SSH are refused with their rule', (t) => {
  for (const odd of [
    'san_ip=san.example',
    'san_ip=[::1]',
    'san_login=-oProxyCommand',
    'san_login=a b',
    'san_private_key=key',
    'san_zfs_volume_base=rpool',
    'san_zfs_volume_base=-o/x',
    'san_zfs_volume_base=tank/;id/',
    'san_zfs_volume_base=tank/a@b/',
    `san_zfs_volume_base=tank/${'x'.repeat(200)}/`,
  ]) {
    t.regex(problemsOf(t, { argv: argv([...solaris, odd]) })[0] ?? '', /must (be|have)/, odd);
  }
});

test('the password of a backend is a secret, is not printed, and each flag is shown once', async (t) => {
  const section = solaris.map((text) => text.replace('=', ' = ')).join('\n');
  const loaded = loadFlags({ file: await fileWith(t, `enabled_backends = sun\n[sun]\n${section}\n`) });
  t.deepEqual(secretsOf(loaded), ['hunter2']);
  const printed = printConfig(loaded);
  t.false(printed.includes('hunter2'));
  t.true(printed.includes('san_password = ***'));
  const names = [...sampleConfig().matchAll(/^#(\w+) =/gm)].map(([, name]) => name);
  t.is(new Set(names).size, names.length);
});
