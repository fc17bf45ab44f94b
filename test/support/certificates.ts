import { join } from 'node:path';
import { execa } from 'execa';

const newKey = ['-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];

/** Files of a certificate and its key. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

/** An authority that clients of a test trust: `cert` is what they need of it. */
export async function newAuthority(directory: string, name = 'authority'): Promise<CertificateFiles> {
  const files = filesOf(directory, name);
  const options = ['-x509', ...newKey, '-days', '9', '-subj', `/CN=${name}`];
  await execa('openssl', ['req', ...options, '-keyout', files.key, '-out', files.cert]);
  return files;
}

/** A certificate for 127.0.0.1. `days` until its end; of less than 0, it has expired. */
export async function newCertificate(
  directory: string,
  name: string,
  authority: CertificateFiles,
  { days = 5 } = {},
): Promise<CertificateFiles> {
  const files = filesOf(directory, name);
  const request = join(directory, `${name}.request`);
  const names = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'];
  const subject = ['-subj', `/CN=${name}`, ...names];
  await execa('openssl', ['req', ...newKey, ...subject, '-keyout', files.key, '-out', request]);
  const by = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial', '-copy_extensions', 'copy'];
  await execa('openssl', ['x509', '-req', '-in', request, ...by, '-days', String(days), '-out', files.cert]);
  return files;
}

function filesOf(directory: string, name: string): CertificateFiles {
  return { cert: join(directory, `${name}.cert.pem`), key: join(directory, `${name}.key.pem`) };
}
