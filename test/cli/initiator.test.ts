import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { checkInitiator } from '../../cli/doctor/initiator.ts';
import { CommandError } from '../../lib/command-error.ts';
import { isRunning } from '../../lib/connectors/properties.ts';
import { ChildProcesses, type RunResult } from '../../lib/process.ts';

/** A fake host: what the commands of the checks answer; an exit code for a failure, undefined where they are not installed. */
class Host extends ChildProcesses {
  private readonly answers: Record<string, string | number | undefined>;

  constructor(answers: Record<string, string | number | undefined> = {}) {
    super();
    this.answers = { iscsiadm: '', modinfo: '', systemctl: 'loaded\n', ...answers };
  }

  override async run(command: string): Promise<RunResult> {
    const answer = this.answers[command];
    if (typeof answer === 'string') return { stdout: answer, stderr: '' };
    const failure = { command, signal: undefined, timedOut: false, cancelled: false, stdout: '', stderr: '' };
    throw new CommandError({ ...failure, exitCode: answer, notFound: answer === undefined });
  }
}

const iscsi = { targets: new Set(['aoe', 'iscsi-tgt']), twins: {} };
const name = 'iqn.1993-08.org.debian:01:abc';

let directory: string;
let nameFile: string;
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-initiator-'));
  nameFile = join(directory, 'initiatorname.iscsi');
  await writeFile(nameFile, `InitiatorName=${name}\n`);
});
test.after.always(() => rm(directory, { recursive: true, force: true }));

test('a host with open-iscsi is named; one of a cluster without iSCSI is not looked at', async (t) => {
  t.deepEqual(await checkInitiator(new Host(), { use: iscsi, nameFile }), [
    { level: 'ok', message: `this host is the iSCSI initiator ${name}` },
  ]);
  for (const use of [undefined, { targets: new Set(['aoe']), twins: {} }]) {
    t.deepEqual(await checkInitiator(new Host({ iscsiadm: undefined }), { use, nameFile }), []);
  }
});

test('what a host lacks is an error where it must attach, else a warning', async (t) => {
  for (const isRequired of [true, false]) {
    const [missing] = await checkInitiator(new Host({ iscsiadm: undefined }), { use: iscsi, isRequired, nameFile });
    t.deepEqual(missing, {
      level: isRequired ? 'bad' : 'warn',
      message: 'this host cannot connect iSCSI volumes: open-iscsi is not installed',
      hint: 'apt-get install open-iscsi',
    });
  }
  const absent = join(directory, 'absent');
  const [unnamed] = await checkInitiator(new Host(), { use: iscsi, nameFile: absent });
  t.regex(unnamed?.message ?? '', /^this host cannot connect iSCSI volumes: it has no iSCSI initiator name/);
});

test('an initiator name that another host has as well is an error', async (t) => {
  const [clone] = await checkInitiator(new Host(), { use: { ...iscsi, twins: { initiator: 'host2' } }, nameFile });
  t.is(clone?.level, 'bad');
  t.is(clone?.message, `host host2 has the iSCSI initiator name of this host, ${name}`);
});

test('an iscsid that cannot start is named', async (t) => {
  if (await isRunning('iscsid')) {
    t.pass();
    return;
  }
  const [masked] = await checkInitiator(new Host({ systemctl: 'masked\n' }), { use: iscsi, nameFile });
  t.regex(masked?.message ?? '', /iscsid does not run, and its socket is masked$/);
  const [none] = await checkInitiator(new Host({ systemctl: undefined }), { use: iscsi, nameFile });
  t.regex(none?.message ?? '', /there is no systemd to start it$/);
});

const withoutTransport = existsSync('/sys/module/iscsi_tcp') ? test.skip : test;

withoutTransport('a kernel without the transport is named', async (t) => {
  const [missing] = await checkInitiator(new Host({ modinfo: 1 }), { use: iscsi, nameFile });
  t.regex(missing?.message ?? '', /the kernel module iscsi_tcp is missing$/);
});
