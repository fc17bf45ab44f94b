import { z } from 'zod';
import { BlockstoreError, errors } from '../../lib/errors.ts';
import { parseJson } from './json.ts';

const schema = z.record(z.string(), z.string());

/** Reads a filter by metadata: JSON, or `{'key': 'value'}` as the clients in Python write it. Throws InvalidRequest. */
export function metadataFilter(text: string): Record<string, string> {
  for (const form of [text, text.replaceAll("'", '"')]) {
    const { data } = schema.safeParse(parsed(form));
    if (data) return data;
  }
  throw errors.invalidRequest(["metadata: must be of the form {'key': 'value'}"]);
}

function parsed(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (error instanceof BlockstoreError) throw error;
    return undefined;
  }
}
