import type { SecureContextOptions, Server } from 'node:tls';
import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type TlsFiles, type TlsPair, minTlsVersion, readTlsPair, tlsWarnings } from '../../lib/tls-files.ts';

const defaultPollMs = 10_000;
const warnEveryMs = 86_400_000;

export interface CertificateOptions {
  log: Log;
  /** How often the files are read. */
  pollMs?: number;
}

/**
 * The certificate of the API, as its files have it: a new one is served without a restart, to connections that begin later. Files that
 * cannot be used change nothing.
 */
export class ServerCertificate {
  private readonly files: TlsFiles;
  private readonly log: Log;
  private readonly pollMs: number;
  private readonly servers = new Set<Server>();
  private pair: TlsPair | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** Of the last reading, where it failed; a second one with the same result is reported. */
  private problem = '';
  private warnedAt = -Infinity;

  constructor(files: TlsFiles, { log, pollMs = defaultPollMs }: CertificateOptions) {
    this.files = files;
    this.log = log;
    this.pollMs = pollMs;
  }

  /** Throws InvalidFlags. */
  start(): void {
    this.pair = readTlsPair(this.files);
    this.warn();
    this.timer = setInterval(() => this.reload(), this.pollMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.servers.clear();
  }

  /** For new servers. */
  get options(): SecureContextOptions {
    if (!this.pair) throw new Error('the certificate is not read yet');
    const { cert, key } = this.pair;
    return { cert, key, minVersion: minTlsVersion };
  }

  /** The server has the newest certificate from now on. */
  addServer(server: Server): void {
    this.servers.add(server);
    server.once('close', () => this.servers.delete(server));
  }

  private reload(): void {
    try {
      const pair = readTlsPair(this.files);
      const isSame = pair.cert === this.pair?.cert && pair.key === this.pair.key;
      this.problem = '';
      if (!isSame) this.replace(pair);
      else if (performance.now() > this.warnedAt + warnEveryMs) this.warn();
    } catch (error) {
      this.note(asError(error).message);
    }
  }

  private replace(pair: TlsPair): void {
    this.pair = pair;
    for (const server of this.servers) server.setSecureContext(this.options);
    this.log.info(`the API has a new certificate, valid until ${pair.certificate.validToDate.toISOString()}`);
    this.warn();
  }

  /** At the moment between the two files being replaced they do not fit: that is no problem. */
  private note(problem: string): void {
    if (this.problem === problem) {
      this.log.warn(`${problem}: the API goes on with the certificate that it has`, {
        hint: 'correct the file; the daemon reads it again within seconds',
      });
    }
    this.problem = problem;
  }

  private warn(): void {
    if (!this.pair) return;
    this.warnedAt = performance.now();
    for (const { message, hint } of tlsWarnings(this.files, this.pair)) this.log.warn(message, { hint });
  }
}
