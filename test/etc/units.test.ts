import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';

const root = path.resolve(import.meta.dirname, '../..');
const etc = path.join(root, 'etc');

test('systemd-analyze verify accepts the units', async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), 'blockstore-units-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const names = (await readdir(etc)).filter((name) => name.endsWith('.service'));
  t.deepEqual(names.toSorted(), [
    'blockstore-tgtd.service',
    'blockstore-vblade-file@.service',
    'blockstore-vblade@.service',
    'blockstored.service',
  ]);
  for (const name of names) {
    // Where the package would put it there is nothing yet.
    const unit = (await readFile(path.join(etc, name), 'utf8')).replace(
      '=/usr/bin/blockstored',
      `=${root}/bin/blockstored`,
    );
    await writeFile(path.join(directory, name), unit);
  }
  const files = names.map((name) => path.join(directory, name));
  const { all, exitCode } = await execa('systemd-analyze', ['verify', '--man=no', ...files], {
    all: true,
    reject: false,
  });
  t.is(all, '');
  t.is(exitCode, 0);
});

test('an export unit does not depend on the daemon unit', async (t) => {
  for (const name of ['blockstore-vblade@.service', 'blockstore-tgtd.service']) {
    const unit = await readFile(path.join(etc, name), 'utf8');
    t.notRegex(unit, /^(PartOf|BindsTo|Requires|Requisite|Conflicts|After)=.*blockstored/m);
  }
});
