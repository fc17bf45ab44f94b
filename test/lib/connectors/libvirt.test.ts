import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BlockstoreError } from '../../../lib/errors.ts';
import { LibvirtDomains, diskTarget } from '../../../lib/connectors/libvirt.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { WithVirsh, directoryFor } from './with-virsh.ts';

const uuid = '00000000-0000-4000-8000-000000000001';
const otherUuid = '00000000-0000-4000-8000-000000000002';
const twinUuid = '00000000-0000-4000-8000-000000000003';

/**
 * Not libvirt: a shell script named virsh, whose domain runs, keeps disks in a file a scope, and notes its arguments. `refusals` is
 * how often it refuses or loses a request to release a disk.
 */
async function fakeVirsh(
  t: ExecutionContext,
  { persistent, refusals = 0 }: { persistent: boolean; refusals?: number },
) {
  const directory = await directoryFor(t);
  await writeFile(join(directory, 'refusals'), String(refusals));
  await writeFile(
    join(directory, 'virsh'),
    `#!/bin/sh
cd ${directory}; echo "$*" >>calls
[ -e mute ] && exit 0
if [ -e down ]; then
  case " $* " in *" list "*) echo 'error: failed to connect to the hypervisor' >&2;; *) echo "error: failed to get domain 'x'" >&2;; esac
  exit 1
fi
[ "$1" = --connect ] && shift 3
case " $* " in *--config*|*--inactive*) file=config;; *) file=live;; esac
verb=$1
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done
case $verb in
  'managedsave-dumpxml '*) printf "<domain type='kvm'>\\n  <uuid>%s</uuid>\\n</domain>\\n" ${uuid} ${otherUuid} ${twinUuid};;
  snapshot-list|blkdeviotune) [ ! -e limited ] && exit 0
    echo 'error: this function is not supported by the connection driver: virX' >&2; exit 1;;
  list) printf '${uuid} guest\\n${otherUuid} 2\\n${twinUuid} ${uuid}\\n';;
  dominfo) [ "$2" = ${uuid} ] || { echo "error: failed to get domain '$2'" >&2; exit 1; }
    printf 'State:          %s\\nPersistent:     ${persistent ? 'yes' : 'no'}\\n' "$(cat state 2>/dev/null || echo running)"
    [ ! -e saved ] || echo 'Managed save:   yes';;
  managedsave-dumpxml) echo "<domain type='kvm'>"; cat saved; echo '</domain>';;
  dumpxml) echo "<domain type='kvm'>"; cat $file 2>/dev/null; echo '</domain>';;
  attach-disk) echo "<disk type='block'><source dev='$3'/><target dev='$4' bus='virtio'/></disk>" >>$file;;
  detach-disk)
    left=$(cat refusals)
    [ "$left" = 0 ] && exec sed -i "/'$3'/d" $file
    echo $((left - 1)) >refusals
    [ $((left % 2)) = 0 ] && exit 0
    echo "error: $(cat reason 2>/dev/null || echo device is already in the process of unplug)" >&2; exit 1;;
esac
`,
    { mode: 0o755 },
  );
  const domains = new LibvirtDomains(
    { uri: 'fake:///', detachTimeoutMs: refusals > 100 ? 300 : 60_000, askAgainMs: 1 },
    { processes: new WithVirsh(directory) },
  );
  const calls = async () =>
    (await readFile(join(directory, 'calls'), 'utf8')).replaceAll('--connect fake:/// --quiet ', '');
  const shutOff = () => writeFile(join(directory, 'state'), 'shut off');
  return { domains, calls, shutOff, directory };
}

test('fake virsh: a running domain with a definition gets and loses the disk in both', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: true });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  await domains.detach(uuid, '/dev/etherd/e7.1');
  const changes = (await calls()).split('\n').filter((line) => line.includes('-disk'));
  t.deepEqual(
    changes.map((line) => line.replace(/ --sourcetype.*native/, '')),
    [
      `attach-disk --live -- ${uuid} /dev/etherd/e7.1 vdb`,
      `attach-disk --config -- ${uuid} /dev/etherd/e7.1 vdb`,
      `detach-disk --live -- ${uuid} vdb`,
      `detach-disk --config -- ${uuid} vdb`,
    ],
  );
});

test('fake virsh: a domain without a definition gets the disk only in the guest, read-only where wanted', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: false });
  t.false(domains.mayHaveDisk(uuid));
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb', { readOnly: true });
  t.true(domains.mayHaveDisk(uuid));
  t.false((await calls()).includes('--config'));
  t.regex(await calls(), /attach-disk .*--mode readonly -- /);
});

test('fake virsh: a guest that refuses or loses the request is asked again', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: false, refusals: 3 });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  await domains.detach(uuid, '/dev/etherd/e7.1');
  t.is((await calls()).match(/detach-disk/g)?.length, 4);
});

for (const [state, reason, message, hint] of [
  [
    'paused',
    '',
    /: its guest is paused and has not released disk vdb within 0\.3 s/,
    `resume the guest (virsh resume ${uuid})`,
  ],
  ['pmsuspended', '', /is pmsuspended and has not/, `wake the guest (virsh dompmwakeup ${uuid})`],
  ['running', "disk 'vdb' already in active block job", /block job\)$/, `virsh blockjob ${uuid} vdb --abort`],
  ['running', 'cannot acquire state change lock (held by x)', /lock/, `see virsh domjobinfo ${uuid}`],
] as const) {
  test(`fake virsh: what keeps a guest from releasing a disk is to be ended: ${state} ${reason}`, async (t) => {
    const { domains, directory } = await fakeVirsh(t, { persistent: false, refusals: 1_000_001 });
    await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
    await writeFile(join(directory, 'state'), state);
    if (reason !== '') await writeFile(join(directory, 'reason'), reason);
    const error = await t.throwsAsync(domains.detach(uuid, '/dev/etherd/e7.1'), { code: 'DomainFailed', message });
    t.true(error instanceof BlockstoreError && error.hint?.includes(hint), String(error));
  });
}

test('fake virsh: a libvirt driver that knows no snapshots and no limits attaches and detaches', async (t) => {
  const { domains, directory } = await fakeVirsh(t, { persistent: true });
  await writeFile(join(directory, 'limited'), '');
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  const limits = { iops: 100, bytesPerSecond: undefined };
  await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdb', { limits }), { message: /not supported/ });
  await domains.detach(uuid, '/dev/etherd/e7.1');
});

test('fake virsh: a disk that the domain has gets the limits of the attach in place of its own', async (t) => {
  const { domains, calls } = await fakeVirsh(t, { persistent: true });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  t.false((await calls()).includes('blkdeviotune'));
  const limits = { iops: 100, bytesPerSecond: undefined };
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb', { limits });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  const set = (iops: number) =>
    ['--live', '--config'].map(
      (scope) =>
        `blkdeviotune ${scope} --read-iops-sec ${iops} --write-iops-sec ${iops} --read-bytes-sec 0 --write-bytes-sec 0 --total-iops-sec 0 --total-bytes-sec 0 -- ${uuid} vdb`,
    );
  t.deepEqual(
    (await calls()).split('\n').filter((line) => line.includes('blkdeviotune')),
    [...set(100), ...set(0)],
  );
});

test('fake virsh: detach fails for a guest that keeps the disk, and ends for one that is shut off', async (t) => {
  const { domains, shutOff } = await fakeVirsh(t, { persistent: false, refusals: 1_000_000 });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  const error = await t.throwsAsync(domains.detach(uuid, '/dev/etherd/e7.1'), { code: 'DomainFailed' });
  t.regex(error.message, new RegExp(`^libvirt domain ${uuid}: its guest has not released disk vdb within 0.3 s`));
  await shutOff();
  await t.notThrowsAsync(domains.detach(uuid, '/dev/etherd/e7.1'));
});

test('fake virsh: a domain is looked up by its exact name, then its UUID, never by an id', async (t) => {
  const { domains } = await fakeVirsh(t, { persistent: true });
  t.deepEqual(await domains.lookup('guest'), { name: 'guest', uuid });
  t.deepEqual(await domains.lookup('2'), { name: '2', uuid: otherUuid });
  t.deepEqual(await domains.lookup(otherUuid.toUpperCase()), { name: '2', uuid: otherUuid });
  t.is((await domains.lookup(uuid)).uuid, twinUuid, 'named so');
  for (const reference of ['1', '0x1', '-x', 'gues', '']) {
    await t.throwsAsync(domains.lookup(reference), { code: 'DomainNotFound' }, reference);
  }
  const unknown = '00000000-0000-4000-8000-000000000009';
  await t.throwsAsync(domains.detach(unknown, '/dev/etherd/e7.1'), { code: 'DomainNotFound' });
});

test('fake virsh: a connection that ends during a look-up is no domain that does not exist', async (t) => {
  const { domains, directory } = await fakeVirsh(t, { persistent: true });
  t.is((await domains.lookup('2')).uuid, otherUuid);
  // As virsh 9 writes it, and nothing else.
  const error = await t.throwsAsync(domains.detach(otherUuid, '/dev/etherd/e7.1'), { code: 'DomainFailed' });
  t.regex(error.message, /failed to get domain/);
  await writeFile(join(directory, 'down'), '');
  const down = { code: 'DomainFailed', message: /failed to connect to the hypervisor/ };
  await t.throwsAsync(domains.detach(otherUuid, '/dev/etherd/e7.1'), down);
  await t.throwsAsync(domains.lookup('guest'), down);
  await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdb'), { code: 'DomainFailed' });
  t.false(domains.mayHaveDisk(uuid), 'there is nothing to undo');
});

test('fake virsh: a saved guest, which continues with the disk, has not released it', async (t) => {
  const { domains, directory, shutOff } = await fakeVirsh(t, { persistent: true });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  await shutOff();
  const disk = (device: string) =>
    writeFile(join(directory, 'saved'), `<disk type='block'><source dev='${device}'/><target dev='vdb'/></disk>`);
  await disk('/dev/etherd/e7.1');
  const error = await t.throwsAsync(domains.detach(uuid, '/dev/etherd/e7.1'), { code: 'DomainFailed' });
  t.is(error.message, `libvirt domain ${uuid}: its saved state has disk vdb`);
  t.regex(await readFile(join(directory, 'config'), 'utf8'), /e7\.1/, 'nothing has changed');
  await disk('/dev/etherd/e7.10');
  await domains.detach(uuid, '/dev/etherd/e7.1');
  const other = await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdb'), { code: 'DomainFailed' });
  t.is(other?.message, `libvirt domain ${uuid}: it is saved, and continues without the disk`);
});

test('fake virsh: a domain gets a device once, under whatever target', async (t) => {
  const { domains } = await fakeVirsh(t, { persistent: true });
  await domains.attach(uuid, '/dev/etherd/e7.1', 'vdb');
  const error = await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdc'), { code: 'DomainFailed' });
  t.is(error.message, `libvirt domain ${uuid}: it has /dev/etherd/e7.1 as its disk vdb already`);
});

test('fake virsh: an answer that cannot be read names this host, not a node', async (t) => {
  const { domains, directory } = await fakeVirsh(t, { persistent: true });
  await writeFile(join(directory, 'mute'), '');
  const error = await t.throwsAsync(domains.detach(uuid, '/dev/etherd/e7.1'), { code: 'AnswerUnreadable' });
  t.like(error, { hint: 'see "virsh --connect fake:/// list --all" on this host' });
});

test('a disk of a domain is a whole virtio disk', (t) => {
  t.is(diskTarget('/dev/vdb'), 'vdb');
  t.is(diskTarget('/dev/vdaa'), 'vdaa');
  for (const odd of [
    '/dev/vdb1',
    '/dev/disk/by-id/x',
    '/dev/foo/vdb',
    '/dev/sda',
    '/dev/etherd/e1.12',
    'vdb',
    '/dev/vd',
  ]) {
    t.throws(() => diskTarget(odd), { code: 'InvalidArgument' }, odd);
  }
});

test('a missing virsh is CommandNotFound', async (t) => {
  class WithoutPath extends ChildProcesses {
    override async run(command: string, args: readonly string[]) {
      return super.run(command, args, { env: { PATH: '/nonexistent' } });
    }
  }
  const domains = new LibvirtDomains({ uri: 'test:///default' }, { processes: new WithoutPath() });
  await t.throwsAsync(domains.attach(uuid, '/dev/etherd/e7.1', 'vdb'), { code: 'CommandNotFound' });
});
