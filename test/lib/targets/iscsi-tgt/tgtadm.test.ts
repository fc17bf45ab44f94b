import test from 'ava';
import { CommandError } from '../../../../lib/command-error.ts';
import { Tgtadm } from '../../../../lib/targets/iscsi-tgt/tgtadm.ts';
import { LoggedCommands } from '../../../support/logged-commands.ts';

const chap = { user: 'user1', secret: 'secret1' };

function failing(exitCode: number, stderr: string): CommandError {
  const ended = { signal: undefined, timedOut: false, cancelled: false, notFound: false, stdout: '' };
  return new CommandError({ ...ended, command: 'tgtadm', exitCode, stderr });
}

test('an export is made, limited and removed by these commands, each as root', async (t) => {
  const commands = new LoggedCommands();
  const adm = new Tgtadm(commands, '/run/tgtd.sock');
  await adm.newTarget(3, 'iqn.2010-10.org.openstack:volume-1');
  await adm.newUnit(3, 1, '/dev/vg/volume-1', { scsi_sn: 'one', readonly: '1' });
  await adm.demand(3, chap);
  await adm.admit(3, 'ALL');
  await adm.admit(3, 'iqn.1993-08.org.debian:01:host');
  await adm.refuse(3, '192.0.2.7');
  await adm.deleteTarget(3);
  await adm.deleteAccount('user1');
  const sent = (operation: string, mode: string, rest: string) =>
    `sudo tgtadm --op=${operation} --lld iscsi --mode ${mode} ${rest}`;
  t.deepEqual(commands.lines, [
    sent('new', 'target', '--tid 3 --targetname iqn.2010-10.org.openstack:volume-1'),
    sent('new', 'logicalunit', '--tid 3 --lun 1 --backing-store /dev/vg/volume-1'),
    sent('update', 'logicalunit', '--tid 3 --lun 1 --params scsi_sn=one,readonly=1'),
    sent('new', 'account', '--user user1 --password secret1'),
    sent('bind', 'account', '--tid 3 --user user1'),
    sent('bind', 'target', '--tid 3 --initiator-address ALL'),
    sent('bind', 'target', '--tid 3 --initiator-name iqn.1993-08.org.debian:01:host'),
    sent('unbind', 'target', '--tid 3 --initiator-address 192.0.2.7'),
    sent('delete', 'target', '--force --tid 3'),
    sent('delete', 'account', '--user user1'),
  ]);
});

test('an account of a failed attempt is replaced; another failure has the words of tgtd and no secret', async (t) => {
  let exists = true;
  const commands = new LoggedCommands((line) => {
    if (line.includes('--op=delete')) exists = false;
    if (exists && line.includes('--op=new')) throw failing(22, 'tgtadm: this account already exists\n');
    if (line.includes('--op=bind')) throw failing(22, "tgtadm: can't find the target\n");
    return '';
  });
  const error = await t.throwsAsync(new Tgtadm(commands, '/run/tgtd.sock').demand(3, chap));
  t.is(error?.message, "can't find the target");
  t.deepEqual(
    commands.lines.map((line) => /--op=(\w+)/.exec(line)?.[1]),
    ['new', 'delete', 'new', 'bind'],
  );
});

test('a tgtd that does not run is recognised by exit code or words', async (t) => {
  for (const [exitCode, words] of [
    [107, ''],
    [1, 'tgtadm: failed to connect to the tgt daemon'],
  ] as const) {
    const adm = new Tgtadm(
      new LoggedCommands(() => {
        throw failing(exitCode, words);
      }),
      '/run/tgtd.sock',
    );
    await t.throwsAsync(adm.targets(), { any: true, message: /./ });
    t.like(await adm.targets().catch((error: unknown) => error), { isDown: true });
  }
});

test('an answer that tgtadm could not read is a failure, and not an empty list, although it succeeds', async (t) => {
  for (const words of [
    'tgtadm: tgtd closed the socket',
    'tgtadm: a partial response',
    "sudo: unable to resolve host\ntgtadm: can't get the full response",
    'failed to read from tgtd, 104',
  ]) {
    const commands = new LoggedCommands(() => '', words);
    const failure = await new Tgtadm(commands, '/run/tgtd.sock').targets().catch((error: unknown) => error);
    t.like(failure, { isDown: false, message: /(?:tgtadm: )?([^:]+)$/.exec(words)?.[1] });
  }
  const warned = new LoggedCommands(() => '', 'sudo: unable to resolve host');
  t.deepEqual(await new Tgtadm(warned, '/run/tgtd.sock').targets(), []);
});
