import { once } from 'node:events';
import { chmod, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { SolarisDevice } from './solaris-device.ts';

const command = fileURLToPath(new URL('command', import.meta.url));

/** Stand-ins of pfexec and of the commands of Solaris as programs of this host, in a directory of their own. */
export class LocalCommands {
  readonly directory: string;
  private readonly server: Server;

  static async start(device: SolarisDevice): Promise<LocalCommands> {
    const directory = await mkdtemp(path.join(tmpdir(), 'fake-solaris-'));
    for (const name of ['zfs', 'stmfadm', 'sbdadm', 'itadm']) await symlink(command, path.join(directory, name));
    await writeFile(
      path.join(directory, 'pfexec'),
      '#!/bin/sh\n# A stand-in: runs the command with the rights it has.\nexec "$@"\n',
    );
    await chmod(path.join(directory, 'pfexec'), 0o755);
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      void text(socket).then((words) => {
        const { stdout, stderr, exitCode } = device.words(['pfexec', ...words.split('\0').slice(0, -1)]);
        socket.end([stdout, stderr, exitCode].map((part) => `${part}\0`).join(''));
      });
    });
    server.listen(path.join(directory, 'device'));
    await once(server, 'listening');
    return new LocalCommands(directory, server);
  }

  private constructor(directory: string, server: Server) {
    this.directory = directory;
    this.server = server;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    await closed;
    await rm(this.directory, { recursive: true });
  }
}
