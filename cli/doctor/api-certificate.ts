import { type Finding, ok, warn } from '../../lib/check.ts';
import { type TlsFiles, readTlsPair, tlsWarnings } from '../../lib/tls-files.ts';

/** Whether the API can use the files of its certificate. Throws InvalidFlags. */
export async function checkApiCertificate(files: TlsFiles): Promise<readonly Finding[]> {
  const pair = readTlsPair(files);
  const warnings = tlsWarnings(files, pair).map(({ message, hint }) => warn(message, hint));
  if (warnings.length > 0) return warnings;
  return [ok(`certificate of the API, valid until ${pair.certificate.validToDate.toISOString()}`)];
}
