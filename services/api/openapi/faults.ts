import { errorForms } from '../error-answer.ts';
import type { JsonObject } from './json-schema.ts';

/** Names of the documents of errors of the Block Storage API, by their HTTP status. */
const forms = new Map(errorForms.map(({ status, name }) => [status, name]));

export const faultStatuses: readonly number[] = [...forms.keys()];

export const faultSchemas: JsonObject = {
  Fault: {
    type: 'object',
    properties: { code: { type: 'integer' }, message: { type: 'string', minLength: 1 } },
    required: ['code', 'message'],
    additionalProperties: { type: 'string' },
  },
};

/** Returns the form of an error of the Block Storage API. */
export function faultDocument(status: number): JsonObject {
  const name = forms.get(status) ?? String(status);
  return {
    type: 'object',
    properties: { [name]: { $ref: '#/components/schemas/Fault' } },
    required: [name],
    additionalProperties: false,
  };
}
