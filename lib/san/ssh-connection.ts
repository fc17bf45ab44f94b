import { readFile } from 'node:fs/promises';
import ssh2, { type Client, type ClientChannel, type ConnectConfig } from 'ssh2';
import { Semaphore, unlessAborted } from '../concurrency.ts';
import { type BlockstoreError, asError, errors } from '../errors.ts';
import { Changes } from './changes.ts';
import type { KnownHosts } from './known-hosts.ts';
import { type SanAnswer, type SanRunOptions, defaultSanTimeoutMs } from './shell.ts';

export interface SshOptions {
  ip: string;
  port: number;
  login: string;
  password: string;
  /** A file; '' = none. */
  privateKey: string;
  knownHosts: KnownHosts;
  /** Time from the first packet to the end of the login. Default 30,000. */
  connectMs?: number;
  keepalive?: Keepalive;
}

/** The server is asked after each interval without a reply to that; the connection ends when it has missed so many, and one more is due. */
interface Keepalive {
  intervalMs: number;
  maxMisses: number;
}

/** sshd allows ten by default. */
const maxChannels = 8;
const defaultConnectMs = 30_000;
/**
 * Ends a connection that was silent for 60 to 75 s. A network that is away for 30 s is survived: TCP sends again up to 26 s after it
 * is back. The server answers while a command runs, however long.
 */
const defaultKeepalive: Keepalive = { intervalMs: 15_000, maxMisses: 4 };
const maxOutputBytes = 64 * 2 ** 20;

/** Those of storage from before 2014, after the present ones: the client's order decides. */
const olderAlgorithms = {
  kex: { append: ['diffie-hellman-group14-sha1', 'diffie-hellman-group1-sha1'], prepend: [], remove: [] },
  cipher: { append: ['aes256-cbc', 'aes128-cbc'], prepend: [], remove: [] },
} satisfies ConnectConfig['algorithms'];

/** One connection for many commands and several users, which is made when a command needs it. */
export class SshConnection {
  readonly where: string;
  failure: BlockstoreError | undefined;
  readonly changes = new Changes();
  private readonly options: SshOptions;
  private readonly channels = new Semaphore(maxChannels);
  private readonly users = new Set<object>();
  private client: Promise<Client> | undefined;
  /** Whose login has not ended. */
  private connecting: Client | undefined;

  constructor(options: SshOptions) {
    this.options = options;
    this.where = `${options.login}@${options.ip}:${options.port}`;
  }

  /** `shown` is the command as messages have it. Throws as SanShell.run does. */
  async run(user: object, line: string, shown: string, options: SanRunOptions = {}): Promise<SanAnswer> {
    this.users.add(user);
    return this.channels.run(async () => {
      const client = await unlessAborted(this.connected(), options.signal);
      return this.exchange(client, line, shown, options);
    }, options.signal);
  }

  /** Ends the connection with its last user. */
  async leave(user: object): Promise<void> {
    this.users.delete(user);
    if (this.users.size > 0) return;
    this.connecting?.destroy();
    const client = await this.client?.catch(() => undefined);
    this.client = undefined;
    client?.end();
  }

  private connected(): Promise<Client> {
    if (this.client) return this.client;
    const attempt = this.connect(() => {
      if (this.client === attempt) this.client = undefined;
    });
    this.client = attempt;
    attempt.then(
      () => {
        this.failure = undefined;
      },
      (error: unknown) => {
        this.failure = asError(error);
        if (this.client === attempt) this.client = undefined;
      },
    );
    return attempt;
  }

  /** `ended` is called when the connection has ended, for whatever reason. */
  private async connect(ended: () => void): Promise<Client> {
    const { ip, port, login, password, privateKey, knownHosts } = this.options;
    const { connectMs = defaultConnectMs, keepalive = defaultKeepalive } = this.options;
    const serverHostKey = await knownHosts.algorithms();
    const key = privateKey === '' ? undefined : await readPrivateKey(privateKey);
    const client = new ssh2.Client();
    this.connecting = client;
    let refusal: BlockstoreError | undefined;
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => reject(refusal ?? errors.sanUnreachable(this.where, reason));
      client.once('ready', () => {
        this.connecting = undefined;
        client.setNoDelay(true);
        resolve(client);
      });
      client.on('error', (error) => {
        const isLogin = error.level === 'client-authentication';
        if (isLogin) reject(errors.sanDenied(this.where, 'no method of authentication was accepted'));
        else fail(error.message);
        client.destroy();
      });
      client.once('close', () => {
        if (this.connecting === client) this.connecting = undefined;
        fail('the connection was closed during the login');
        ended();
      });
      client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) =>
        finish(prompts.map(() => password)),
      );
      client.connect({
        host: ip,
        port,
        username: login,
        ...(password === '' ? {} : { password, tryKeyboard: true }),
        ...(key === undefined ? {} : { privateKey: key }),
        readyTimeout: connectMs,
        keepaliveInterval: keepalive.intervalMs,
        keepaliveCountMax: keepalive.maxMisses,
        algorithms: { ...olderAlgorithms, serverHostKey },
        hostVerifier: (hostKey: Buffer, verify: (isKnown: boolean) => void) => {
          knownHosts.check(hostKey, this.where).then(
            () => verify(true),
            (error: unknown) => {
              refusal = asError(error);
              verify(false);
            },
          );
        },
      });
    });
  }

  private exchange(client: Client, line: string, shown: string, options: SanRunOptions): Promise<SanAnswer> {
    const { timeoutMs = defaultSanTimeoutMs, signal, input } = options;
    return new Promise((resolve, reject) => {
      let channel: ClientChannel | undefined;
      const output = { stdout: '', stderr: '' };
      const finish = (end: () => void) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', abort);
        client.off('close', cut);
        end();
      };
      const giveUp = (reason: unknown) => {
        finish(() => reject(reason));
        channel?.close();
      };
      const abort = () => giveUp(signal?.reason);
      const cut = () => giveUp(errors.sanCut(this.where, shown, 'the connection was cut'));
      const timer = setTimeout(() => {
        const printed = (output.stderr || output.stdout).trim().slice(-200);
        giveUp(errors.sanTimeout(this.where, shown, timeoutMs / 1000, printed));
      }, timeoutMs);
      if (signal?.aborted) return abort();
      signal?.addEventListener('abort', abort, { once: true });
      client.once('close', cut);
      const started = (error: Error | undefined, opened: ClientChannel) => {
        if (error) return giveUp(errors.sanCut(this.where, shown, error.message));
        channel = opened;
        let exitCode: number | undefined;
        const collect = (name: 'stdout' | 'stderr') => (chunk: string) => {
          output[name] += chunk;
          if (output[name].length > maxOutputBytes) giveUp(errors.sanCut(this.where, shown, 'it prints without end'));
        };
        opened.setEncoding('utf8').on('data', collect('stdout'));
        opened.stderr.setEncoding('utf8').on('data', collect('stderr'));
        opened.on('error', () => {}); // followed by 'close'
        opened.on('exit', (code: number | null) => {
          exitCode = code ?? undefined;
        });
        opened.on('close', () => {
          finish(() => {
            if (exitCode === undefined) reject(errors.sanCut(this.where, shown, 'it ended without an exit code'));
            else resolve({ ...output, exitCode });
          });
        });
        opened.end(input); // a command that asks a question gets no other answer
      };
      try {
        client.exec(line, started);
      } catch (error) {
        giveUp(errors.sanCut(this.where, shown, asError(error).message)); // the connection ended just before
      }
    });
  }
}

/** Throws SanDenied. The text of the key is in no message. */
async function readPrivateKey(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw errors.sanKeyUnusable(file, asError(error).message);
  }
  const parsed = ssh2.utils.parseKey(text);
  if (!(parsed instanceof Error)) return text;
  const reason = /encrypted/i.test(parsed.message) ? 'it has a passphrase' : 'it is not a private key';
  throw errors.sanKeyUnusable(file, reason);
}
