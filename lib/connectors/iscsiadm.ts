import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import { type IscsiAddress, portalText } from '../iscsi/address.ts';
import type { Processes } from '../process.ts';

/** Longer than iscsid tries to log in to a portal that accepts connections. */
const loginMs = 90_000;

/** Exit codes of iscsiadm(8). */
const exits = {
  transport: 4,
  transportTimeout: 8,
  internal: 9,
  pduTimeout: 11,
  noTransport: 12,
  sessionExists: 15,
  daemonSilent: 18,
  fatalLogin: 19,
  noDaemon: 20,
  noRecord: 21,
  notAuthorized: 24,
  again: 29,
  notConnected: 32,
} as const;

/** With these iscsid refuses to end a session that it tries to connect again; by version. */
const reconnecting: readonly number[] = [exits.internal, exits.again, exits.notConnected];

const seeDaemon =
  'start it: systemctl start iscsid (see "systemctl status iscsid"; in a container, use the one of the host)';
const seeVolume = 'blockstore volume show';

/** The command iscsiadm of open-iscsi, for one target at one portal. The portal is in every call, with its port. */
export class Iscsiadm {
  private readonly processes: Processes;

  constructor(processes: Processes) {
    this.processes = processes;
  }

  /** Without discovery, which would bring records of all targets and portals of the node. */
  async newRecord(name: string, at: IscsiAddress): Promise<void> {
    await this.run(name, at, [...nodeArguments(at), '--op', 'new']);
  }

  /** Of every portal; absent is success. */
  async deleteRecords(name: string, at: IscsiAddress): Promise<void> {
    await this.run(name, at, ['--mode', 'node', '--targetname', at.targetName, '--op', 'delete'], [exits.noRecord]);
  }

  /** A Ctrl-C on the terminal must not end it: iscsid would go on, and the session be there after it was looked for. */
  async login(name: string, at: IscsiAddress): Promise<void> {
    await this.run(name, at, [...nodeArguments(at), '--login'], [exits.sessionExists], ['setsid', '--wait']);
  }

  /** Whether the session has ended: not while iscsid tries to connect it again. */
  async logout(name: string, at: IscsiAddress, session: string): Promise<boolean> {
    const args = ['--mode', 'session', '--sid', session, '--logout'];
    const exitCode = await this.run(name, at, args, [exits.noRecord, ...reconnecting]);
    return !reconnecting.includes(exitCode);
  }

  async rescan(name: string, at: IscsiAddress, session: string): Promise<void> {
    await this.run(name, at, ['--mode', 'session', '--sid', session, '--rescan']);
  }

  /** Returns the exit code, 0 or an accepted one. */
  private async run(
    name: string,
    at: IscsiAddress,
    args: readonly string[],
    accepted: readonly number[] = [],
    by: readonly string[] = [],
  ): Promise<number> {
    const [command = '', ...words] = [...by, 'iscsiadm', ...args];
    try {
      await this.processes.run(command, words, { asRoot: true, timeoutMs: loginMs });
      return 0;
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { exitCode, notFound } = error.failure;
      if (notFound) throw errors.commandMissing('iscsiadm', 'open-iscsi');
      if (exitCode !== undefined && accepted.includes(exitCode)) return exitCode;
      const [reason, hint] = explained(error, at);
      throw errors.connectorFailed(name, reason, hint);
    }
  }
}

function nodeArguments(at: IscsiAddress): string[] {
  const portal = `${portalText(at)},${at.portalGroup}`;
  return ['--mode', 'node', '--targetname', at.targetName, '--portal', portal, '--interface', 'default'];
}

/** Returns the cause and how to fix it. */
function explained(error: CommandError, at: IscsiAddress): [string, string] {
  const portal = portalText(at);
  switch (error.failure.exitCode ?? 0) {
    case exits.notAuthorized:
      return [
        // Of tgtd only the latter, of LIO either.
        `the target at ${portal} refuses this host, or the CHAP user and secret of the attachment`,
        `see that "${seeVolume}" has the initiator name of this host, and that no other command has attached the volume ` +
          'anew meanwhile; "blockstore audit" on its node names other causes',
      ];
    case exits.fatalLogin:
      return [
        `the target at ${portal} does not admit this host, or does not exist`,
        `see that the address and the initiator names of "${seeVolume}" are right; after a change of ` +
          '/etc/iscsi/initiatorname.iscsi: systemctl restart iscsid',
      ];
    case exits.transport:
    case exits.transportTimeout:
    case exits.pduTimeout:
      return unreachable(portal, 'the login was not answered in time');
    case exits.noTransport:
      return ['the kernel has no iSCSI initiator over TCP', 'load its module: modprobe iscsi_tcp'];
    case exits.daemonSilent:
    case exits.noDaemon:
      return ['iscsid of this host does not run', seeDaemon];
    default:
      return [reasonOf(error), 'see "journalctl --unit iscsid" and "dmesg" of this host'];
  }
}

/** Returns the cause and how to fix it. */
export function unreachable(portal: string, reason: string): [string, string] {
  return [
    `the portal ${portal} does not answer: ${reason}`,
    'see that the node of the volume is up ("blockstore node list") and serves iSCSI, and that routes and firewalls ' +
      'between this host and the portal are right',
  ];
}

/** iscsiadm says what failed in lines of "iscsiadm: …". */
function reasonOf(error: CommandError): string {
  if (error.failure.timedOut) return `iscsiadm has not ended within ${loginMs / 1000} s`;
  const said = `${error.failure.stderr}\n${error.failure.stdout}`.split('\n').map((line) => line.trim());
  const line = said.findLast((text) => text.startsWith('iscsiadm:')) ?? said.find((text) => text !== '');
  return line ?? error.message;
}
