import test from 'ava';
import { MonitoredDaemon } from '../support/monitored-daemon.ts';
import { alertExpressions, dashboardExpressions, groupingsIn, selectorsIn } from '../support/promql.ts';

/** The expressions of alerts and dashboard against the metrics of a daemon; prometheus.test.ts has Prometheus evaluate them. */

/** What Prometheus adds to each series. */
const ofPrometheus = ['instance', 'job'];

/** The labels of each metric in the text. */
function labelsIn(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>([['up', new Set(ofPrometheus)]]);
  for (const line of text.split('\n')) {
    const [, name, braces = ''] = /^([a-z]\w*)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const labels = found.get(name) ?? new Set(ofPrometheus);
    for (const [, label = ''] of braces.matchAll(/(\w+)="/g)) labels.add(label);
    found.set(name, labels);
  }
  return found;
}

test('every metric in an alert or on the dashboard exists with those labels', async (t) => {
  const daemon = await MonitoredDaemon.start();
  t.teardown(() => daemon.close());
  await daemon.exercise();
  const metrics = labelsIn(await daemon.allMetrics());
  const [alerts, panels] = [await alertExpressions(), await dashboardExpressions()];
  t.true(alerts.length >= 20 && panels.length >= 30);
  for (const expression of [...alerts, ...panels]) {
    const about = `${expression.where}: ${expression.text}`;
    const selectors = selectorsIn(expression);
    t.true(selectors.length > 0, about);
    const known = new Set<string>();
    for (const { name, labels } of selectors) {
      const own = metrics.get(name);
      if (!own) {
        t.fail(`${about}: there is no ${name}`);
        continue;
      }
      for (const label of own) known.add(label);
      for (const label of labels) t.true(own.has(label), `${about}: ${name} has no label ${label}`);
    }
    for (const label of groupingsIn(expression)) t.true(known.has(label), `${about}: nothing has the label ${label}`);
  }
});

test('every metric of blockstore is on the dashboard', async (t) => {
  const daemon = await MonitoredDaemon.start();
  t.teardown(() => daemon.close());
  await daemon.exercise();
  const shown = new Set((await dashboardExpressions()).flatMap((one) => selectorsIn(one).map(({ name }) => name)));
  const plain = (name: string) => name.replace(/_(bucket|sum|count)$/, '');
  const names = new Set(
    [...labelsIn(await daemon.allMetrics()).keys()].filter((name) => name.startsWith('blockstore_')),
  );
  const shownPlain = new Set([...shown].map(plain));
  t.deepEqual(
    [...names].filter((name) => !shownPlain.has(plain(name))),
    ['blockstore_redis_up', 'blockstore_backend_total_bytes'],
    'these are in alerts, or implied by others',
  );
});
