import { randomBytes } from 'node:crypto';
import { createCredential } from '../../lib/client/identity/credentials.ts';
import { errors } from '../../lib/errors.ts';
import { listenAddress } from '../../lib/flags/api-flags.ts';
import { newPassword } from '../../lib/identity/password.ts';
import { findProject } from '../../lib/models/project.ts';
import { findUser } from '../../lib/models/user.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import type { Context } from '../context.ts';
import type { InProject } from './commands.ts';

export interface CloudsOptions extends InProject {
  url?: string;
  cloud: string;
  name?: string;
  /** Milliseconds. */
  expires?: number;
}

const everyAddress: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Throws UserNotFound, ProjectNotFound, RoleNotGranted, CredentialExists, InvalidArgument. */
export async function printCloudsYaml(context: Context, reference: string, options: CloudsOptions): Promise<void> {
  const { project: place, cloud, name = `${cloud}-${randomBytes(4).toString('hex')}`, expires = 0 } = options;
  const { output } = context;
  const { flags } = await context.loadFlags();
  const url = options.url ?? (flags.api_url === '' ? listenUrl(flags.api_listen) : flags.api_url);
  if (url === undefined || !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw errors.usage(
      'give the address of the API, such as --url http://192.0.2.7:8776',
      'blockstore user clouds-yaml',
    );
  }
  await using session = await context.open();
  const { store } = session;
  const user = await findUser(store, reference);
  const project = await findProject(store, place);
  const secret = newPassword();
  const credential = await createCredential(store, {
    name,
    user: user.id,
    project: project.id,
    secret,
    expires: expires === 0 ? 0 : (await redisTime(store)) + expires,
  });
  const clouds = {
    [cloud]: {
      auth_type: 'v3applicationcredential',
      auth: {
        auth_url: `${url.replace(/\/+$/, '')}/identity/v3`,
        application_credential_id: credential.id,
        application_credential_secret: secret,
      },
      identity_api_version: '3',
      region_name: 'RegionOne',
    },
  };
  if (output.json) await output.document({ clouds });
  else await output.write(`# ${user.name} in project ${project.name}\n${yamlText({ clouds })}`);
}

/** Of nested texts. */
interface Texts {
  readonly [key: string]: string | Texts;
}

/** Every string of JSON is one of YAML. */
function yamlText(texts: Texts, indent = ''): string {
  return Object.entries(texts)
    .map(([key, value]) => {
      const name = /^\w+$/.test(key) ? key : JSON.stringify(key);
      return typeof value === 'string'
        ? `${indent}${name}: ${JSON.stringify(value)}\n`
        : `${indent}${name}:\n${yamlText(value, `${indent}  `)}`;
    })
    .join('');
}

/** Returns the first address that a client can use. */
function listenUrl(items: readonly string[]): string | undefined {
  return items.flatMap((item) => {
    const { host = '', port = 0 } = listenAddress(item) ?? {};
    return port === 0 || everyAddress.has(host) ? [] : [`http://${item}`];
  })[0];
}
