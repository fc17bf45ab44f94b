import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { calls } from '../../services/api/calls/index.ts';
import { openApiDocument } from '../../services/api/openapi/document.ts';
import { newest, versionAsked } from '../../services/api/microversion.ts';

/** A request and its answer; `path` is below the address of the API, bodies are undefined where there is none. */
export interface Exchange {
  method: string;
  path: string;
  headers: Headers;
  request: unknown;
  status: number;
  answerHeaders: Headers;
  answer: unknown;
}

const base = 'https://blockstore.test/openapi.json';
const marksSchema = z.object({
  'min-ver': z.string().optional(),
  'max-ver': z.string().optional(),
  'action-name': z.string().optional(),
});
const responseSchema = z.object({
  $ref: z.string().optional(),
  headers: z.record(z.string(), z.unknown()).default({}),
  content: z.object({ 'application/json': z.unknown() }).optional(),
  /** Of calls that share a path, the actions whose answer has no body. */
  'x-no-body': z.array(z.string()).default([]),
});
const pathSchema = z
  .object({ servers: z.array(z.unknown()).optional() })
  .catchall(z.object({ responses: z.record(z.string(), responseSchema) }))
  .transform(({ servers, ...methods }) => ({ isOfProject: servers === undefined, methods }));
const documentSchema = z.object({
  components: z.object({ responses: z.record(z.string(), responseSchema) }),
  paths: z.record(z.string(), pathSchema),
});

const document = openApiDocument(calls);
const { paths, components } = documentSchema.parse(document);
const templates = Object.keys(paths).map((template) => ({
  template,
  // Literal parts are matched before parameters, as the server does.
  rank: template.replaceAll(/\{[^}]+\}/g, '~'),
  pattern: new RegExp(
    `^${template.replaceAll('.', String.raw`\.`).replaceAll(/\{[^}]+\}/g, '[^/]+')}${template === '/' ? '' : '/?'}$`,
  ),
}));
templates.sort((one, other) => (one.rank < other.rank ? -1 : 1));

/** What the keyword `x-openstack` compares with. */
interface Asked {
  version: number;
  action: string | undefined;
}
const askedSchema = z.object({ version: z.number(), action: z.string().optional() });

const ajv = new Ajv2020({ strict: false, passContext: true, allErrors: false, validateFormats: false });
ajv.addKeyword({
  keyword: 'x-openstack',
  validate(this: unknown, marks: unknown): boolean {
    const { version, action } = askedSchema.parse(this);
    const { 'min-ver': least = '3.0', 'max-ver': most = '3.9999', 'action-name': name } = marksSchema.parse(marks);
    const minor = (text: string) => Number(text.split('.')[1]);
    return minor(least) <= version && version <= minor(most) && (name === undefined || name === action);
  },
});
ajv.addSchema({ $id: base, ...document });
const validators = new Map<string, ValidateFunction>();

/** Throws where an answer is not as the OpenAPI document says. */
export function checkAnswer(exchange: Exchange): void {
  const problem = problemOf(exchange);
  if (problem === undefined) return;
  const { method, path, status, answer } = exchange;
  throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)?.slice(0, 2000)}: ${problem}`);
}

/** Returns how an answer differs from the OpenAPI document; undefined where it does not, or where the document is not about it. */
export function problemOf(exchange: Exchange): string | undefined {
  const { method, path, headers, status, request, answerHeaders, answer } = exchange;
  const [plain = ''] = path.split('?', 1);
  if (!plain.startsWith('/v3/')) return undefined;
  const template = templateOf(plain.slice('/v3'.length)) ?? '';
  const operation = paths[template]?.methods[method.toLowerCase()];
  // A request for no call is refused, by the first thing that is wrong with it.
  const found = operation
    ? operation.responses[status]
    : { $ref: `#/components/responses/error${status}`, headers: {}, 'x-no-body': [] };
  const response = found?.$ref === undefined ? found : components.responses[found.$ref.split('/').at(-1) ?? ''];
  if (!found || !response) return operation ? `the document has no status ${status}` : 'the document has no such call';
  const missing = Object.keys(response.headers).find((name) => !answerHeaders.has(name));
  if (missing !== undefined) return `the answer has no ${missing}`;
  if (method === 'HEAD') return undefined;
  const isEmpty = !response.content || response['x-no-body'].includes(actionOf(request) ?? '');
  if (isEmpty) return answer === undefined ? undefined : 'the answer has a body';
  const place = found.$ref ?? `#/paths/${pointer(template)}/${method.toLowerCase()}/responses/${status}`;
  const asked: Asked = { version: versionOf(headers), action: actionOf(request) };
  const validate = validatorAt(`${base}${place}/content/application~1json/schema`);
  if (validate.call(asked, answer)) return undefined;
  return ajv.errorsText(validate.errors);
}

function templateOf(path: string): string | undefined {
  const find = (text: string) => templates.find(({ pattern }) => pattern.test(text))?.template;
  const ofProject = find(path.replace(/^\/[^/]+/, ''));
  return find(path) ?? (paths[ofProject ?? '']?.isOfProject === true ? ofProject : undefined);
}

function pointer(text: string): string {
  return encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
}

function validatorAt(place: string): ValidateFunction {
  const known = validators.get(place) ?? ajv.compile({ $ref: place });
  validators.set(place, known);
  return known;
}

/** Of a version that is not served the answer is an error, which has none. */
function versionOf(headers: Headers): number {
  try {
    return versionAsked(headers.get('openstack-api-version') ?? undefined);
  } catch {
    return newest;
  }
}

function actionOf(request: unknown): string | undefined {
  const { data = {} } = z.record(z.string(), z.unknown()).safeParse(request);
  return Object.keys(data)[0];
}
