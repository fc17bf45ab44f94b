import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { tryParseIscsiAddress } from '../../../../lib/iscsi/address.ts';
import type { Chap, ExportSpec } from '../../../../lib/targets/target.ts';
import type { HostSession } from '../conformance.ts';

/** Puts the stand-ins of tgtd and tgtadm in front of the real ones, for this process and its children. */
export function useStandIns(): void {
  const directory = fileURLToPath(new URL('../../../support/fake-tgt', import.meta.url));
  process.env['PATH'] = `${directory}:${process.env['PATH'] ?? ''}`;
}

/** A host that logs in at a stand-in of tgtd. Throws where it is denied. */
export async function standInLogin(spec: ExportSpec, host: string, chap?: Chap): Promise<StandInSession> {
  const { ip, port, targetName } = tryParseIscsiAddress(spec.address) ?? { ip: '', port: 0, targetName: '' };
  const socket = connect(port, ip);
  await once(socket, 'connect');
  const session = new StandInSession(socket);
  await session.request(`LOGIN ${targetName} ${host} ${chap?.user ?? '-'} ${chap?.secret ?? '-'}`);
  return session;
}

export class StandInSession implements HostSession {
  private readonly socket: Socket;
  private readonly lines: AsyncIterator<string>;

  constructor(socket: Socket) {
    this.socket = socket.setEncoding('utf8');
    socket.on('error', () => {});
    this.lines = linesOf(socket);
  }

  async write(offset: number, data: Buffer): Promise<void> {
    await this.request(`WRITE ${offset} ${data.toString('hex')}`);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    return Buffer.from((await this.request(`READ ${offset} ${length}`)).slice('DATA '.length), 'hex');
  }

  async request(line: string): Promise<string> {
    this.socket.write(`${line}\n`);
    const { value } = await this.lines.next();
    if (typeof value !== 'string') throw new Error('the connection was closed');
    if (!value.startsWith('DENIED')) return value;
    if (line.startsWith('LOGIN')) this.socket.destroy();
    throw new Error(value);
  }

  async close(): Promise<void> {
    this.socket.destroy();
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<string> {
  let rest = '';
  try {
    for await (const chunk of socket) {
      const [last = '', ...whole] = `${rest}${String(chunk)}`.split('\n').toReversed();
      rest = last;
      yield* whole.toReversed();
    }
  } catch {
    // it was closed
  }
}
