import { existsSync } from 'node:fs';
import test from 'ava';
import { AoeConnector } from '../../../lib/connectors/aoe.ts';
import { CommandError } from '../../../lib/command-error.ts';
import { ChildProcesses } from '../../../lib/process.ts';

/** A host whose modprobe ends like that. What a host with the module does is tested in the lab. */
class Modprobe extends ChildProcesses {
  private readonly stderr: string;
  private readonly notFound: boolean;

  constructor(stderr: string, { notFound = false } = {}) {
    super();
    this.stderr = stderr;
    this.notFound = notFound;
  }

  override async run(command: string, args: readonly string[]): Promise<never> {
    throw new CommandError({
      command: [command, ...args].join(' '),
      exitCode: 1,
      signal: undefined,
      timedOut: false,
      cancelled: false,
      notFound: this.notFound,
      stdout: '',
      stderr: this.stderr,
    });
  }
}

const address = 'e7.1';
const withoutModule = existsSync('/sys/module/aoe') ? test.skip : test;

withoutModule('a kernel without the module', async (t) => {
  const stderr = 'modprobe: FATAL: Module aoe not found in directory /lib/modules/6.1.0';
  const error = await t.throwsAsync(new AoeConnector({ processes: new Modprobe(stderr) }).connect(address), {
    code: 'ConnectorFailed',
  });
  t.is(error?.message, `could not connect volume e7.1 to this host: the kernel module aoe cannot be loaded: ${stderr}`);
});

withoutModule('not root', async (t) => {
  const processes = new Modprobe('sudo: a password is required');
  await t.throwsAsync(new AoeConnector({ processes }).connect(address), {
    code: 'ConnectorFailed',
    message: /only root may connect AoE devices$/,
  });
});

withoutModule('no modprobe', async (t) => {
  const processes = new Modprobe('', { notFound: true });
  await t.throwsAsync(new AoeConnector({ processes }).connect(address), {
    code: 'CommandNotFound',
    message: 'the command modprobe is not installed',
  });
});

withoutModule('a device that was never connected is disconnected already', async (t) => {
  await t.notThrowsAsync(new AoeConnector({ processes: new ChildProcesses() }).disconnect(address));
});

withoutModule('a device that was never connected cannot be looked at again', async (t) => {
  await t.throwsAsync(new AoeConnector({ processes: new ChildProcesses() }).revalidate(address), {
    code: 'ConnectorFailed',
    message: /it is not connected$/,
  });
});
