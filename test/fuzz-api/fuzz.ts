import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { z } from 'zod';
import { Random } from '../simulation/random.ts';
import { problemOf } from '../support/answer-check.ts';
import { blockStorage } from './block-storage.ts';
import { identity } from './identity.ts';
import { Place } from './place.ts';
import type { FuzzRequest } from './requests.ts';
import { type FuzzAnswer, Sender } from './sender.ts';
import type { Answer } from './service.ts';

export const services = { 'block-storage': blockStorage, identity } as const;

export interface FuzzOptions {
  service: keyof typeof services;
  requests: number;
  seed: number;
  /** Called from time to time. */
  onProgress?: (done: number) => void;
}

export interface FuzzResult {
  /** Answers by their status. */
  statuses: ReadonlyMap<number, number>;
  /** Calls that were never answered with success. */
  neverServed: readonly string[];
  /** What is wrong, each with the request that shows it; none when all is well. */
  problems: readonly string[];
  /** Bytes of the heap that this process has more at the end than after a fifth of the requests. */
  grownBytes: number;
  slowestMs: number;
  slowestCall: string;
}

const concurrency = 16;
/** Further ones would repeat these. */
const maxProblems = 20;
/** Compiled code and caches of the processor of requests grow a little for long. */
const maxGrownBytes = 24 * 2 ** 20;
const manyRequests = 50_000;

/** Sends requests to a service, and compares every answer with its document. */
export async function fuzz({ service, requests, seed, onProgress = () => {} }: FuzzOptions): Promise<FuzzResult> {
  const { flags, raw: rawRequests, source } = services[service];
  const place = await Place.create(flags);
  const sender = new Sender(place.url, concurrency);
  const random = new Random(seed);
  const made = await source(place, random);
  const served = new Map<string, boolean>();
  const statuses = new Map<number, number>();
  const problems: string[] = [];
  let [done, slowestMs, slowestCall, heapBefore] = [0, 0, '', 0];
  const report = (request: string, problem: string) => {
    if (problems.length < maxProblems) problems.push(`${request}: ${problem}`);
  };
  const note = (request: string, answer: FuzzAnswer, problem: string | undefined) => {
    if (answer.kind === 'failure') return report(request, answer.reason);
    statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
    if (answer.ms > slowestMs) [slowestMs, slowestCall] = [answer.ms, request.split(/ [{"]/, 1)[0] ?? ''];
    if (problem !== undefined) report(request, problem);
  };
  const worker = async () => {
    while (done < requests && problems.length < maxProblems) {
      done += 1;
      if (done % 1000 === 0) onProgress(done);
      if (done === Math.ceil(requests / 5)) heapBefore = usedHeap();
      const raw = random.chance(0.002) ? random.pick(rawRequests) : undefined;
      if (raw !== undefined) {
        const answer = await sender.sendRaw(raw);
        note(textOf(raw), answer, answer.kind === 'answer' ? problemOfRaw(answer) : undefined);
        continue;
      }
      const request = made.next();
      const answer = await sender.send(request);
      const body = answer.kind === 'answer' ? parsed(answer.body) : undefined;
      if (answer.kind === 'failure') {
        note(describe(request), answer, undefined);
        continue;
      }
      served.set(request.call, (served.get(request.call) ?? false) || answer.status < 400);
      const problem = await made.learn(request, answer, body);
      note(describe(request), answer, problemWith(request, answer, body) ?? problem);
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, worker));
    const atEnd = (await made.problems?.()) ?? [];
    problems.push(...(await place.differences()), ...atEnd, ...place.failures.slice(0, maxProblems));
    const grownBytes = usedHeap() - heapBefore;
    if (requests >= manyRequests && grownBytes > maxGrownBytes)
      problems.push(`the heap has grown by ${grownBytes} bytes`);
    const neverServed = [...served].flatMap(([call, isServed]) => (isServed ? [] : [call])).toSorted();
    return { statuses, neverServed, problems, grownBytes, slowestMs, slowestCall };
  } finally {
    sender.close();
    await place.remove();
  }
}

function problemWith(request: FuzzRequest, answer: Answer, body: unknown): string | undefined {
  const { status } = answer;
  const shown = `${status} ${answer.body.slice(0, 500)}`;
  if (status >= 500 && !isFull(answer)) return shown;
  if (/node:internal|\.ts:\d+/.test(answer.body)) return `shows its code: ${shown}`;
  if (body === notJson) return `is no JSON: ${shown}`;
  const headers = new Headers(Object.entries(request.headers));
  const sent = typeof request.body === 'string' ? parsed(request.body) : undefined;
  const exchange = { method: request.method, path: request.path, headers, request: sent, answer: body };
  const problem = problemOf({ ...exchange, status, answerHeaders: answer.headers });
  return problem === undefined ? undefined : `${problem}: ${shown}`;
}

/** No backend has the space, or meets what the request demands. */
function isFull({ status, body }: Answer): boolean {
  return status === 503 && body.includes('"no backend ');
}

/** Of bytes that are no request the server may close the connection without a word. */
function problemOfRaw({ status, body }: Answer): string | undefined {
  return status >= 500 && status !== 505 ? `${status} ${body.slice(0, 500)}` : undefined;
}

const notJson = Symbol('no JSON');

function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return notJson;
  }
}

function describe({ method, path, headers, body }: FuzzRequest): string {
  return `${method} ${path.slice(0, 300)} ${JSON.stringify(headers).slice(0, 500)} ${textOf(body ?? '')}`;
}

function textOf(bytes: string | Buffer): string {
  return JSON.stringify(bytes.toString('latin1').slice(0, 1000));
}

setFlagsFromString('--expose-gc');
const collect = z.function().parse(runInNewContext('gc'));

/** Returns the bytes of the heap that are in use. */
function usedHeap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
