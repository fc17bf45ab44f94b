import test from 'ava';
import { hidesVolumes } from '../../cli/doctor/lvm-filter.ts';

/** Each with whether it keeps LVM from attached volumes. */
const settings: readonly (readonly [string, boolean])[] = [
  ['global_filter=["r|^/dev/etherd/|"]', true],
  ['global_filter="r|^/dev/etherd/|"', true],
  ['global_filter=["a|.*|"]\nfilter=["r|/etherd/|"]', true],
  ['filter=["a|^/dev/sd|","r|.*|"]', true],
  ['filter=["a{^/dev/sd}","r[.*]"]', true],
  ['filter=["a|^/dev/disk/by-path/|","r|.*|"]', true],
  [String.raw`filter=["r|^\\/dev\\/etherd\\/|"]`, true],
  // The device has other names, of which one is accepted.
  ['global_filter=["r|^/dev/etherd/|","a|.*|"]', false],
  ['filter=["a|/by-id/|","r|.*|"]', false],
  ['filter=["a|.*|","r|^/dev/etherd/|"]', false],
  ['filter=["r|^/dev/sdx|"]', false],
  ['filter=["r|[|","r|^/dev/etherd/"]', false],
  ['filter=[]', false],
  ['', false],
];

test('a filter hides attached volumes where it rejects each of their names', (t) => {
  for (const [text, isHidden] of settings) t.is(hidesVolumes(`${text}\nuse_devicesfile=0`), isHidden, text);
});

test('a file of devices hides all others, if it exists', (t) => {
  const text = 'filter=["a|.*|"]\nuse_devicesfile=1\ndevicesfile="system.devices"';
  t.true(hidesVolumes(text, (file) => file === '/etc/lvm/devices/system.devices'));
  t.false(hidesVolumes(text, () => false));
});
