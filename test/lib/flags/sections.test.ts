import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { printConfig } from '../../../lib/flags/print.ts';
import { fileWith, problemsOf } from './place.ts';

const two = `enabled_backends = fast, slow
volume_clear = none
[fast] # disks
volume_group = nvme
[ slow ]
volume_driver = file
volume_pool_dir = /srv/slow
`;

test('without enabled_backends there is one backend, named after its driver, with the flags of the node', (t) => {
  const { backends, flags } = loadFlags({ argv: ['--volume_driver=file'] });
  t.is(backends.length, 1);
  t.like(backends[0], { name: 'file', flags });
  t.is(loadFlags({ argv: ['--fake-storage'] }).backends[0].name, 'fake');
});

test('a section gives its backend flags of its own; the rest are those of the node', async (t) => {
  const file = await fileWith(t, two);
  const { backends, flags } = loadFlags({ file });
  t.deepEqual(
    backends.map(({ name }) => name),
    ['fast', 'slow'],
  );
  t.like(backends[0].flags, { volume_driver: 'lvm', volume_group: 'nvme', volume_clear: 'none' });
  t.like(backends[1]?.flags, { volume_driver: 'file', volume_pool_dir: '/srv/slow', volume_clear: 'none' });
  t.like(flags, { volume_driver: 'lvm', volume_group: 'nova-volumes' });
  t.like(backends[0].origins, { volume_group: `file ${file} line 4`, volume_clear: `file ${file} line 2` });
});

test('environment and command line reach into sections, with or without one in the file', async (t) => {
  const file = await fileWith(t, two);
  const { backends } = loadFlags({
    file,
    env: { BLOCKSTORE_FAST__VOLUME_GROUP: 'by-env', BLOCKSTORE_SLOW__VOLUME_CLEAR: '' },
    set: ['fast.volume-clear=zero'],
    argv: ['--slow.volume_pool_dir', '/by-argument'],
  });
  t.like(backends[0].flags, { volume_group: 'by-env', volume_clear: 'zero' });
  t.like(backends[1]?.flags, { volume_clear: 'none', volume_pool_dir: '/by-argument' });
  t.is(backends[0].origins.volume_group, 'environment');
  const alone = loadFlags({ env: { BLOCKSTORE_ENABLED_BACKENDS: 'a-b', BLOCKSTORE_A_B__VOLUME_DRIVER: 'file' } });
  t.like(alone.backends[0], { name: 'a-b', flags: alone.backends[0].flags });
  t.is(alone.backends[0].flags.volume_driver, 'file');
});

test('a later source can enable fewer backends than the file has sections', async (t) => {
  const file = await fileWith(t, two);
  t.deepEqual(
    loadFlags({ file, argv: ['--enabled_backends=slow'] }).backends.map(({ name }) => name),
    ['slow'],
  );
});

test('the output of --print-config has the sections and is a valid file', async (t) => {
  const loaded = loadFlags({ file: await fileWith(t, two), set: ['slow.volume_target=none'] });
  const printed = printConfig(loaded);
  t.regex(printed, /\[fast\]\n[^[]*from: file .* line 4\)\nvolume_group = nvme\n/);
  t.regex(printed, /\[slow\]\n[^[]*from: command line\)\nvolume_target = none\n/);
  const again = loadFlags({ file: await fileWith(t, printed) });
  t.deepEqual(
    again.backends.map(({ name, flags }) => [name, flags.volume_group, flags.volume_pool_dir, flags.volume_target]),
    loaded.backends.map(({ name, flags }) => [name, flags.volume_group, flags.volume_pool_dir, flags.volume_target]),
  );
});

const wrong: Record<string, [file: string, problems: RegExp[]]> = {
  'a section that nothing enables': [
    'enabled_backends = fast\n[fast]\n[other]\n',
    [/^no backend other is enabled: .* \(file FILE line 3\)$/],
  ],
  'a section without enabled_backends': ['[fast]\n', [/^no backend fast is enabled.*line 1\)$/]],
  'an enabled backend without a section': [
    '\nenabled_backends = fast\n',
    [/^enabled_backends names fast, which has no section \[fast\] \(file FILE line 2\)$/],
  ],
  'a section twice': [
    'enabled_backends = fast\n[fast]\n\n[fast]\n',
    [/^the section \[fast\] is repeated: file FILE line 2 and file FILE line 4$/],
  ],
  'a backend enabled twice': ['enabled_backends = a,b,a\n[a]\n[b]\nvolume_group = x\n', [/names a twice .*line 1\)$/]],
  'sections that differ by dash and underscore': [
    'enabled_backends = a-b\n[a-b]\n[a_b]\n',
    [/^the section \[a_b\] is repeated.*line 2 and .*line 3$/],
  ],
  'an unknown flag in a section': [
    'enabled_backends = fast\n[fast]\nvolume_grop = x\n',
    [/^unknown flag volume_grop \(file FILE line 3\)$/],
  ],
  'a flag of the node in a section': [
    'enabled_backends = fast\n[fast]\nredis_port = 1\nslots_per_shelf = 3\nenabled_backends = x\n',
    [
      /^redis_port is a flag of the node, .*\[fast\] \(file FILE line 3\)$/,
      /^slots_per_shelf is .* line 4\)$/,
      /^enabled_backends is .* line 5\)$/,
    ],
  ],
  'a wrong value in a section': [
    'enabled_backends = fast\n[fast]\nvolume_clear = shred\n',
    [/^\[fast\] volume_clear = "shred" must be one of zero, discard, none \(file FILE line 3\)$/],
  ],
  'a flag twice in a section': [
    'enabled_backends = fast\n[fast]\nvolume_group = a\nvolume-group = b\n',
    [/^volume-group is set twice: file FILE line 3 and file FILE line 4$/],
  ],
  'names that no backend can have': [
    'enabled_backends = Fast, a__b, 1\n[]\n[a b]\n',
    [
      /^the section \[\] cannot be a backend: .* line 2\)$/,
      /^the section \[a b\] cannot be a backend: .* line 3\)$/,
      /^enabled_backends = "Fast, a__b, 1" must be .* line 1\)$/,
      /^no backend {2}is enabled/,
      /^no backend a b is enabled/,
    ],
  ],
  'two backends on one volume group': [
    'enabled_backends = a,b\n[a]\n[b]\n',
    [/^the backends a and b both use volume group nova-volumes: configure different storage for each$/],
  ],
  'two backends in one directory': [
    'enabled_backends = a,b\nvolume_driver = file\n[a]\n[b]\n',
    [/both use directory \/var\/lib\/blockstore\/volumes/],
  ],
  'two names of one directory': [
    'enabled_backends = a,b\nvolume_driver = file\n[a]\nvolume_pool_dir = /proc/self\n[b]\nvolume_pool_dir = /proc/./self/\n',
    [/^the backends a and b both use directory \/proc\/\d+: configure different storage for each$/],
  ],
  'two names of one directory that does not exist yet': [
    'enabled_backends = a,b\nvolume_driver = file\n[a]\nvolume_pool_dir = /nowhere/x\n[b]\nvolume_pool_dir = /nowhere/./x/\n',
    [/both use directory \/nowhere\/x/],
  ],
  'storage_create without storage_dev': [
    'enabled_backends = a\n[a]\nstorage_create = true\n',
    [/^\[a\] storage_create = true requires storage_dev/],
  ],
  'a target for a driver without devices': [
    'enabled_backends = a\n[a]\nvolume_driver = sheepdog\nvolume_target = iscsi-tgt\n',
    [/^\[a\] volume_driver = sheepdog requires volume_target = sheepdog or none/],
  ],
  'two backends in one Sheepdog cluster': [
    'enabled_backends = a,b\nvolume_driver = sheepdog\nvolume_target = none\n[a]\n[b]\n',
    [/both use the Sheepdog cluster at 127\.0\.0\.1 port 7000/],
  ],
};

for (const [name, [content, expected]] of Object.entries(wrong)) {
  test(`${name} is reported with its place`, async (t) => {
    const problems = problemsOf(t, { file: await fileWith(t, content) });
    t.is(problems.length, expected.length, problems.join('\n'));
    for (const [index, pattern] of expected.entries()) t.regex(problems[index] ?? '', pattern);
  });
}

test('a backend of the environment or the command line that is not enabled is reported', (t) => {
  t.deepEqual(problemsOf(t, { env: { BLOCKSTORE_FAST__VOLUME_GROUP: 'x' } }), [
    'no backend fast is enabled: add it to enabled_backends (environment)',
  ]);
  t.deepEqual(problemsOf(t, { set: ['fast.volume_group=x', 'fast.nonsense=1'] }), [
    'unknown flag fast.nonsense (command line)',
    'no backend fast is enabled: add it to enabled_backends (command line)',
  ]);
});
