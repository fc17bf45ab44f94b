import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { newest, versionAsked } from '../../services/api/microversion.ts';
import type { JsonObject } from '../../services/api/openapi/json-schema.ts';

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
  headers: z.record(z.string(), z.object({ $ref: z.string().optional() })).default({}),
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

/** What the keyword `x-openstack` compares with. */
interface Asked {
  version: number;
  action: string | undefined;
}
const askedSchema = z.object({ version: z.number(), action: z.string().optional() });

/** Compares answers with an OpenAPI document. */
export class DocumentCheck {
  private readonly prefix: string;
  /** Whether a project can be in front of a path. */
  private readonly hasProjects: boolean;
  private readonly document: z.output<typeof documentSchema>;
  private readonly templates: readonly { template: string; rank: string; pattern: RegExp }[];
  private readonly ajv: Ajv2020;
  private readonly validators = new Map<string, ValidateFunction>();

  /** `prefix`: of the paths that it is about, with a slash at its end. */
  constructor(document: JsonObject, { prefix, hasProjects }: { prefix: string; hasProjects: boolean }) {
    this.prefix = prefix;
    this.hasProjects = hasProjects;
    this.document = documentSchema.parse(document);
    const templates = Object.keys(this.document.paths).map((template) => ({
      template,
      // Literal parts are matched before parameters, as the server does.
      rank: template.replaceAll(/\{[^}]+\}/g, '~'),
      pattern: new RegExp(
        `^${template.replaceAll('.', String.raw`\.`).replaceAll(/\{[^}]+\}/g, '[^/]+')}${template === '/' ? '' : '/?'}$`,
      ),
    }));
    this.templates = templates.toSorted((one, other) => (one.rank < other.rank ? -1 : 1));
    this.ajv = new Ajv2020({ strict: false, passContext: true, allErrors: false, validateFormats: false });
    this.ajv.addKeyword({ keyword: 'x-openstack', validate: hasMarks });
    this.ajv.addSchema({ $id: base, ...document });
  }

  isAbout(path: string): boolean {
    return path.startsWith(this.prefix);
  }

  /** Returns how an answer differs from the document; undefined where it does not. */
  problemOf(exchange: Exchange): string | undefined {
    const { method, path, headers, status, request, answerHeaders, answer } = exchange;
    const { paths, components } = this.document;
    const [plain = ''] = path.split('?', 1);
    const template = this.templateOf(plain.slice(this.prefix.length - 1)) ?? '';
    const operation = paths[template]?.methods[method.toLowerCase()];
    // A request for no call is refused, by the first thing that is wrong with it.
    const found = operation
      ? operation.responses[status]
      : { $ref: `#/components/responses/error${status}`, headers: {}, 'x-no-body': [] };
    const response = found?.$ref === undefined ? found : components.responses[found.$ref.split('/').at(-1) ?? ''];
    if (!found || !response)
      return operation ? `the document has no status ${status}` : 'the document has no such call';
    const place = found.$ref ?? `#/paths/${pointer(template)}/${method.toLowerCase()}/responses/${status}`;
    for (const [name, { $ref = `${place}/headers/${name}` }] of Object.entries(response.headers)) {
      const value = answerHeaders.get(name);
      if (value === null) return `the answer has no ${name}`;
      const isValid: boolean = this.validatorAt(`${base}${$ref}/schema`)(value);
      if (!isValid) return `${name} is ${value}`;
    }
    if (method === 'HEAD') return undefined;
    const isEmpty = !response.content || response['x-no-body'].includes(actionOf(request) ?? '');
    if (isEmpty) return answer === undefined ? undefined : 'the answer has a body';
    const asked: Asked = { version: versionOf(headers), action: actionOf(request) };
    const validate = this.validatorAt(`${base}${place}/content/application~1json/schema`);
    if (validate.call(asked, answer)) return undefined;
    return this.ajv.errorsText(validate.errors);
  }

  private templateOf(path: string): string | undefined {
    const find = (text: string) => this.templates.find(({ pattern }) => pattern.test(text))?.template;
    const found = find(path);
    if (found !== undefined || !this.hasProjects) return found;
    const ofProject = find(path.replace(/^\/[^/]+/, ''));
    return this.document.paths[ofProject ?? '']?.isOfProject === true ? ofProject : undefined;
  }

  private validatorAt(place: string): ValidateFunction {
    const known = this.validators.get(place) ?? this.ajv.compile({ $ref: place });
    this.validators.set(place, known);
    return known;
  }
}

function hasMarks(this: unknown, marks: unknown): boolean {
  const { version, action } = askedSchema.parse(this);
  const { 'min-ver': least = '3.0', 'max-ver': most = '3.9999', 'action-name': name } = marksSchema.parse(marks);
  const minor = (text: string) => Number(text.split('.')[1]);
  return minor(least) <= version && version <= minor(most) && (name === undefined || name === action);
}

function pointer(text: string): string {
  return encodeURIComponent(text.replaceAll('~', '~0').replaceAll('/', '~1'));
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
