import type { z } from 'zod';
import type { JsonObject } from './json-schema.ts';

/** What a document says of a call. */
export interface DescribedCall {
  name: string;
  summary: string;
  method: string;
  /** Parameters begin with a colon. */
  path: string;
  /** Of the calls that share a path, the one whose name is the only key of the body. */
  action?: string;
  /** Versions 3.x that have it. */
  since?: number;
  until?: number;
  query: z.ZodType;
  body: z.ZodType;
  status: number;
  answer: z.ZodType;
}

/** What the calls of a document have in common. */
export interface DescribedService<Call extends DescribedCall> {
  calls: readonly Call[];
  title: string;
  description: string;
  /** Addresses are relative to that of the document, so that it is the same behind every proxy. */
  servers: readonly [JsonObject, ...JsonObject[]];
  /** What its root answers to everybody. */
  root: { operationId: string; summary: string; answer: z.ZodType };
  securitySchemes: JsonObject;
  /** Headers of requests, by the name that calls refer to. */
  parameters: JsonObject;
  /** Headers of answers, by the name that calls refer to. */
  headers: JsonObject;
  /** Returns names of `parameters`. */
  parametersOf: (method: string, calls: readonly Call[]) => readonly string[];
  /** Returns names of `headers`, by the header. */
  headersOf: (calls: readonly Call[]) => Readonly<Record<string, string>>;
  /** Who may send it, such as `role reader`. */
  accessOf: (call: Call) => string;
  /** Whether nobody needs a token for it. */
  isOpen: (call: Call) => boolean;
  errors: DescribedErrors;
}

export interface DescribedErrors {
  /** HTTP statuses. */
  statuses: readonly number[];
  schemas: JsonObject;
  /** Returns the form of the document of an error. */
  documentOf: (status: number) => JsonObject;
  /** Returns the headers that it has beside the id of the request. */
  headersOf: (status: number) => JsonObject;
}
