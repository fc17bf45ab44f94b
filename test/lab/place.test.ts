import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import { processesIn } from './traces.ts';

/** A test process that starts a lab and hangs. */
async function hangingRun() {
  const script = `import { Lab } from ${JSON.stringify(new URL('lab.ts', import.meta.url).href)};
    const lab = await Lab.create();
    console.log(lab.name, lab.directory);
    setInterval(() => {}, 1000);`;
  const run = execa(process.execPath, ['--input-type=module', '--eval', script], { reject: false, stderr: 'inherit' });
  const line = await once(createInterface({ input: run.stdout }), 'line');
  const [name = '', directory = ''] = String(line).split(' ');
  return { run, name, directory };
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test.serial(`a test process that ends by ${signal} leaves nothing of its lab`, async (t) => {
    const { run, name, directory } = await hangingRun();
    t.true((await processesIn(name)).length > 0);
    run.kill(signal);
    await run;
    await until(() => !existsSync(directory) && !existsSync(`/run/netns/${name}`), 'the guard has cleared away');
    t.deepEqual(await processesIn(name), []);
  });
}

test.serial('the next lab removes the remains of a run that was killed with its guard', async (t) => {
  const { run, name, directory } = await hangingRun();
  const guard = await execa('pgrep', ['-f', `remove.sh ${name} `]);
  process.kill(Number(guard.stdout), 'SIGKILL');
  run.kill('SIGKILL');
  await run;
  t.true((await processesIn(name)).length > 0);
  const next = await Lab.create({ nodes: 0 });
  await next.close();
  t.false(existsSync(directory));
  t.false(existsSync(`/run/netns/${name}`));
  t.deepEqual(await processesIn(name), []);
});

test.serial('a lab that fails to boot reports the reason and leaves nothing', async (t) => {
  await t.throwsAsync(Lab.create({ nodes: 2, memory: '12M' }), { message: /node1 does not boot/ });
  const left = (await readdir('/run/netns')).filter((name) => name.startsWith(`bslab-${process.pid}-`));
  t.deepEqual(left, []);
});

test.serial('a lab fails at its end where a kernel has found its data damaged', async (t) => {
  const lab = await Lab.create();
  await lab.node(1).sh("echo '<1>BUG: workqueue lockup' >/dev/kmsg; echo '<1>BUG: Bad page map' >/dev/kmsg");
  await t.throwsAsync(lab.close(), { message: 'kernels of the lab are damaged:\nnode1: BUG: Bad page map' });
});
