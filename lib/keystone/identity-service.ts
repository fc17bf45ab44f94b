import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { errors } from '../errors.ts';
import type { Flags } from '../flags/definitions.ts';
import { isLoopback } from '../flags/api-flags.ts';
import { isReadableByAll, readNamedFile } from '../named-file.ts';
import { type ConnectionOptions, IdentityConnection } from './connection.ts';
import { type KnownToken, UnexpectedAnswer, readToken } from './documents.ts';
import { ServiceToken, type ServiceUser } from './service-token.ts';

export type KeystoneFlags = Pick<
  Flags,
  | 'keystone_url'
  | 'keystone_user'
  | 'keystone_user_domain'
  | 'keystone_password_file'
  | 'keystone_project'
  | 'keystone_project_domain'
  | 'keystone_ca_file'
  | 'keystone_timeout'
>;

/** An identity service that speaks Identity v3, asked about the tokens of others. */
export class IdentityService {
  readonly url: string;
  private readonly connection: IdentityConnection;
  private readonly own: ServiceToken;

  constructor(options: ConnectionOptions & ServiceUser) {
    this.url = options.url;
    this.connection = new IdentityConnection(options);
    this.own = new ServiceToken(this.connection, options);
  }

  /** Throws InvalidFlags for files that cannot be used. */
  static from(flags: KeystoneFlags): IdentityService {
    const { keystone_ca_file: caFile, keystone_password_file: passwordFile } = flags;
    contentOf('keystone_password_file', passwordFile);
    const ca = caFile === '' ? undefined : contentOf('keystone_ca_file', caFile);
    if (ca !== undefined && !isCertificate(ca)) {
      throw errors.invalidFlags([`keystone_ca_file = ${JSON.stringify(caFile)} is not a certificate in PEM format`]);
    }
    return new IdentityService({
      url: flags.keystone_url,
      ca,
      timeoutMs: flags.keystone_timeout * 1000,
      name: flags.keystone_user,
      domain: flags.keystone_user_domain,
      project: flags.keystone_project,
      projectDomain: flags.keystone_project_domain,
      password: async () => (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/, ''),
    });
  }

  /**
   * Returns what a token stands for; undefined: the service does not know it. Throws UnexpectedAnswer, and whatever keeps it from an answer
   * within the time limit.
   */
  async validate(token: string): Promise<KnownToken | undefined> {
    return this.ask(() => token);
  }

  /** Throws, as validate() does, what keeps the service from being used. */
  async check(): Promise<void> {
    const known = await this.ask((own) => own);
    if (!known) throw new UnexpectedAnswer('it does not know the token that it has issued');
  }

  close(): void {
    this.connection.close();
  }

  private async ask(tokenFor: (own: string) => string): Promise<KnownToken | undefined> {
    for (let attempt = 0; ; attempt += 1) {
      const own = await this.own.get();
      const { status, text } = await this.connection.send({
        method: 'GET',
        path: '/auth/tokens?nocatalog',
        headers: { 'x-auth-token': own, 'x-subject-token': tokenFor(own) },
      });
      if (status === 200) return readToken(text);
      if (status === 404) return undefined;
      // Its own token has been revoked, or has ended.
      if (status === 401 && attempt === 0) this.own.drop(own);
      else throw new UnexpectedAnswer(reasonOf(status));
    }
  }
}

/** Returns what an administrator should change. */
export function keystoneWarnings(flags: KeystoneFlags): { message: string; hint: string }[] {
  const { keystone_password_file: file, keystone_url: address } = flags;
  const warnings: { message: string; hint: string }[] = [];
  if (isReadableByAll(file))
    warnings.push({ message: `every user can read the password ${file}`, hint: `chmod o-r ${file}` });
  const { protocol, hostname } = new URL(address);
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (protocol === 'http:' && host !== 'localhost' && !isLoopback(host)) {
    warnings.push({
      message: `keystone_url = ${address} is plain HTTP: tokens and the password go over the network as they are`,
      hint: 'set keystone_url to an address that begins with https, and keystone_ca_file',
    });
  }
  return warnings;
}

/** Returns why a service cannot be used, as text. */
export function describeFailure(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return describeFailure(error.errors[0]);
  return error instanceof Error ? error.message : String(error);
}

function reasonOf(status: number): string {
  if (status === 403) return 'keystone_user may not validate tokens: give it the role service or admin (403)';
  if (status >= 300 && status < 400) return `it redirects (${status}): set keystone_url to where it leads`;
  return `it answered ${status}`;
}

/** Throws InvalidFlags. */
function contentOf(name: string, path: string): string {
  const content = readNamedFile(path);
  const shown = `${name} = ${JSON.stringify(path)}`;
  if ('problem' in content) throw errors.invalidFlags([`${shown} cannot be read: ${content.problem}`]);
  if (content.text.trim() === '') throw errors.invalidFlags([`${shown} is empty`]);
  return content.text;
}

/** TLS ignores any other text, and would then trust the system's authorities. */
function isCertificate(text: string): boolean {
  try {
    return new X509Certificate(text).raw.length > 0;
  } catch {
    return false;
  }
}
