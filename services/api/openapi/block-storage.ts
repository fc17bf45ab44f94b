import type { Call } from '../call.ts';
import { calls } from '../calls/index.ts';
import { newest, oldest, versionText } from '../microversion.ts';
import { policy } from '../policy.ts';
import { versionsAnswer } from '../versions.ts';
import { openApiDocument } from './document.ts';
import { faultDocument, faultSchemas, faultStatuses } from './faults.ts';
import { idempotencyKeyParameter, requestIdHeader, requestIdParameter } from './headers.ts';
import type { JsonObject } from './json-schema.ts';
import type { DescribedService } from './service.ts';

const description = `Persistent block volumes for a cluster: the Block Storage API v3 in its versions ${versionText(oldest)} to ${versionText(newest)}.

Without the header OpenStack-API-Version a request has version ${versionText(oldest)}. \`x-openstack\` marks what only some versions have (min-ver, \
max-ver), and which action a schema is of (action-name). Objects of other projects answer 404, as if they did not exist.`;

const service: DescribedService<Call> = {
  calls,
  title: 'blockstore',
  description,
  servers: [
    { url: '../v3', description: 'The project of the token' },
    {
      url: '../v3/{project_id}',
      description: 'The same with the project in the path, as clients of versions before 3.67 send it',
      variables: { project_id: { default: 'default' } },
    },
  ],
  root: { operationId: 'getVersions', summary: 'Lists the versions that are served', answer: versionsAnswer },
  securitySchemes: {
    token: {
      type: 'apiKey',
      in: 'header',
      name: 'X-Auth-Token',
      description: 'A token of the identity service. With auth_strategy noauth any text, `user:project`, or none.',
    },
  },
  parameters: {
    version: {
      name: 'OpenStack-API-Version',
      in: 'header',
      description: 'Such as `volume 3.70` or `volume latest`',
      schema: { type: 'string' },
      example: `volume ${versionText(newest)}`,
    },
    requestId: requestIdParameter,
    idempotencyKey: idempotencyKeyParameter,
  },
  headers: {
    requestId: requestIdHeader,
    version: {
      description: 'The version that was served',
      required: true,
      schema: { type: 'string', pattern: String.raw`^volume 3\.\d+$` },
    },
  },
  parametersOf: (method) => ['version', 'requestId', ...(method === 'POST' ? ['idempotencyKey'] : [])],
  headersOf: () => ({ 'OpenStack-API-Version': 'version' }),
  accessOf: ({ name }) => `role ${policy[name]}`,
  isOpen: () => false,
  errors: { statuses: faultStatuses, schemas: faultSchemas, documentOf: faultDocument, headersOf: () => ({}) },
};

/** Returns the description of the Block Storage API. */
export function blockStorageDocument(): JsonObject {
  return openApiDocument(service);
}
