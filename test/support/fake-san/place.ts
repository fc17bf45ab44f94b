import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { KnownHosts } from '../../../lib/san/known-hosts.ts';
import { SshConnection, type SshOptions } from '../../../lib/san/ssh-connection.ts';
import { type Dialect, SshShell } from '../../../lib/san/ssh-shell.ts';
import type { Device } from './device.ts';
import { SshStandIn, type StandInOptions } from './ssh-stand-in.ts';

/** A device behind an SSH server, and logins to it, until `remove`. */
export class SanPlace {
  readonly directory: string;
  readonly server: SshStandIn;
  private readonly shells: SshShell[] = [];

  static async create(device: Device, options: StandInOptions = {}): Promise<SanPlace> {
    const directory = await mkdtemp(path.join(tmpdir(), 'san-'));
    return new SanPlace(directory, await SshStandIn.start(device, options));
  }

  private constructor(directory: string, server: SshStandIn) {
    this.directory = directory;
    this.server = server;
  }

  get knownHosts(): string {
    return path.join(this.directory, 'san/known_hosts');
  }

  connection(options: Partial<SshOptions> & { acceptNew?: boolean; keepNew?: boolean } = {}): SshConnection {
    const { acceptNew = true, keepNew = true, ...others } = options;
    const at = { ip: '127.0.0.1', port: options.port ?? this.server.port };
    const knownHosts = new KnownHosts({ file: this.knownHosts, ...at, acceptNew, keepNew });
    return new SshConnection({ ...at, login: 'admin', password: 'secret', privateKey: '', knownHosts, ...others });
  }

  /** Over that connection, or over one of its own. */
  shell(
    dialect: Dialect,
    options: Parameters<SanPlace['connection']>[0] = {},
    connection: SshConnection = this.connection(options),
  ): SshShell {
    const shell = new SshShell(connection, dialect);
    this.shells.push(shell);
    return shell;
  }

  async remove(): Promise<void> {
    for (const shell of this.shells) await shell.close();
    await this.server.stop();
    await rm(this.directory, { recursive: true });
  }
}
