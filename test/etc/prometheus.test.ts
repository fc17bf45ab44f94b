import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { freePort } from '../support/free-port.ts';
import { MonitoredDaemon } from '../support/monitored-daemon.ts';
import { type Expression, alertExpressions, dashboardExpressions, rulesFile, selectorsIn } from '../support/promql.ts';
import { until } from '../support/until.ts';

/** The alerts and the dashboard in the Prometheus of Debian, which reads the metrics of a daemon. */
const withPrometheus = existsSync('/usr/bin/prometheus') ? test : test.skip;
const cases = join(import.meta.dirname, 'blockstore.rules.test.yml');

withPrometheus('promtool accepts the alerts, each of them fires in its case, and none while all is well', async (t) => {
  await execa('promtool', ['check', 'rules', rulesFile]);
  await execa('promtool', ['test', 'rules', cases]);
  const tested = await readFile(cases, 'utf8');
  for (const { where } of await alertExpressions()) t.true(tested.includes(`alertname="${where}"`), where);
});

const answerSchema = z.object({
  status: z.literal('success'),
  data: z.object({ result: z.array(z.object({ value: z.tuple([z.number(), z.string()]) })) }),
});
const ruleSchema = z.object({ name: z.string(), health: z.string(), state: z.string() });
const rulesSchema = z.object({ data: z.object({ groups: z.array(z.object({ rules: z.array(ruleSchema) })) }) });

withPrometheus('Prometheus evaluates every expression on the metrics of a daemon', async (t) => {
  const daemon = await MonitoredDaemon.start();
  t.teardown(() => daemon.close());
  const url = await startPrometheus(t.teardown, daemon);
  const query = async (text: string) => {
    const body = new URLSearchParams({ query: text });
    const answer: unknown = await (await fetch(`${url}/api/v1/query`, { method: 'POST', body })).json();
    const { data } = answerSchema.safeParse(answer);
    if (!data) throw new Error(`${text}: ${JSON.stringify(answer)}`);
    return data.data.result;
  };
  await until(async () => (await query('up{job="blockstore"} == 1')).length === 1, 'it reads the metrics');
  await daemon.exercise();
  // A rate needs two values: of the last that `exercise` makes appear, too.
  const last = 'blockstore_api_request_duration_seconds_count{status="5xx"}';
  await until(async () => Number((await query(`count_over_time(${last}[1m])`))[0]?.value[1] ?? 0) >= 2, 'all is read');

  const expressions: Expression[] = [...(await alertExpressions()), ...(await dashboardExpressions())];
  for (const expression of expressions) {
    const about = `${expression.where}: ${expression.text}`;
    for (const { value } of await query(expression.text)) t.notRegex(value[1], /Inf/, about);
    for (const { text } of selectorsIn(expression)) t.true((await query(text)).length > 0, `${about}: no ${text}`);
  }
  // What is compared with a bound has no value while all is well; all else has.
  const panels = (await dashboardExpressions()).filter(({ text }) => !/[<>] \d/.test(text));
  for (const { where, text } of panels) t.true((await query(text)).length > 0, `${where}: ${text} has no value`);

  const rules = async () => rulesSchema.parse(await (await fetch(`${url}/api/v1/rules`)).json()).data.groups;
  const evaluated = await until(async () => {
    const all = (await rules()).flatMap((group) => group.rules);
    return all.every(({ health }) => health !== 'unknown') && all;
  }, 'the alerts are evaluated');
  t.is(evaluated.length, (await alertExpressions()).length);
  for (const { name, health, state } of evaluated) t.true(health === 'ok' && state !== 'firing', `${name}: ${health}`);
});

/** Returns its address. Ends with the test. */
async function startPrometheus(teardown: (end: () => Promise<void>) => void, daemon: MonitoredDaemon): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-prometheus-'));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rulesFile],
    scrape_configs: [{ job_name: 'blockstore', static_configs: [{ targets: [new URL(daemon.metricsUrl).host] }] }],
  };
  const file = join(directory, 'prometheus.json');
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  const address = `127.0.0.1:${await freePort()}`;
  const args = [`--config.file=${file}`, `--storage.tsdb.path=${directory}/data`, `--web.listen-address=${address}`];
  const server = execa('prometheus', args, { reject: false, all: true, stdin: 'ignore' });
  teardown(async () => {
    server.kill('SIGKILL');
    await server;
    await rm(directory, { recursive: true, force: true });
  });
  const url = `http://${address}`;
  await until(async () => (await fetch(`${url}/-/ready`)).ok, 'Prometheus is ready');
  return url;
}
