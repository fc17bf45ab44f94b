import { X509Certificate, createPrivateKey } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { errors } from './errors.ts';
import { isReadableByAll, readNamedFile } from './named-file.ts';

const dayMs = 86_400_000;
/** Then programs that renew certificates have tried for long. */
const warnBeforeMs = 14 * dayMs;

/** What a server of TLS proves who it is with, in PEM. */
export interface TlsPair {
  /** That of the server first, then those of its authorities. */
  cert: string;
  key: string;
  /** Of the server. */
  certificate: X509Certificate;
}

/** The flags of the two files, with their paths. */
export interface TlsFiles {
  certFlag: string;
  cert: string;
  keyFlag: string;
  key: string;
}

/** Something that goes on, and should be changed. */
export interface TlsWarning {
  message: string;
  hint: string;
}

/** The least version that servers speak. */
export const minTlsVersion = 'TLSv1.2';

/** Returns what the files have now. Throws InvalidFlags when a server cannot use them. */
export function readTlsPair({ certFlag, cert: certPath, keyFlag, key: keyPath }: TlsFiles): TlsPair {
  const cert = contentOf(certFlag, certPath);
  const key = contentOf(keyFlag, keyPath);
  const certificate = parsed(
    () => new X509Certificate(cert),
    () => `${shown(certFlag, certPath)} has no certificate in PEM format`,
  );
  const privateKey = parsed(
    () => createPrivateKey(key),
    () =>
      key.includes('ENCRYPTED')
        ? `${shown(keyFlag, keyPath)} is encrypted: store it without a passphrase, readable for the daemon alone`
        : `${shown(keyFlag, keyPath)} has no private key in PEM format`,
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw errors.invalidFlags([`${shown(keyFlag, keyPath)} is not the key of the first certificate in ${certPath}`]);
  }
  parsed(
    () => createSecureContext({ cert, key, minVersion: minTlsVersion }),
    (reason) => `${shown(certFlag, certPath)} cannot be used: ${reason}`,
  );
  return { cert, key, certificate };
}

/** Returns what is wrong with files that a server can use. */
export function tlsWarnings({ key, cert }: TlsFiles, { certificate }: TlsPair, now = Date.now()): TlsWarning[] {
  const warnings: TlsWarning[] = [];
  if (isReadableByAll(key)) {
    warnings.push({ message: `every user can read the key ${key}`, hint: `chmod o-r ${key}` });
  }
  const { validFromDate: from, validToDate: to } = certificate;
  const renewed = `put a new certificate at ${cert}; the daemon takes it without a restart`;
  if (now < from.getTime()) {
    const hint = 'check the clock of this machine (timedatectl), or wait';
    warnings.push({ message: `the certificate ${cert} is not valid before ${from.toISOString()}`, hint });
  }
  if (now > to.getTime()) {
    const message = `the certificate ${cert} expired at ${to.toISOString()}: clients refuse it`;
    warnings.push({ message, hint: renewed });
  } else if (now > to.getTime() - warnBeforeMs) {
    warnings.push({ message: `the certificate ${cert} expires at ${to.toISOString()}`, hint: renewed });
  }
  return warnings;
}

function contentOf(flag: string, path: string): string {
  const content = readNamedFile(path);
  if ('problem' in content) throw errors.invalidFlags([`${shown(flag, path)} cannot be read: ${content.problem}`]);
  return content.text;
}

/** Throws InvalidFlags. */
function parsed<T>(parse: () => T, problem: (reason: string) => string): T {
  try {
    return parse();
  } catch (error) {
    throw errors.invalidFlags([problem(error instanceof Error ? error.message : String(error))]);
  }
}

function shown(flag: string, path: string): string {
  return `${flag} = ${JSON.stringify(path)}`;
}
