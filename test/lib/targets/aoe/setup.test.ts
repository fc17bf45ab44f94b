import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { silentLog } from '../../../../lib/log.ts';
import { ChildProcesses, type RunOptions } from '../../../../lib/process.ts';
import { Place, cannotExport } from './place.ts';
import { Veth } from './veth.ts';

const real = cannotExport === undefined ? test : test.skip;

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create();
  t.teardown(() => place.remove());
  return place;
}

/** Every command runs by another one in front of it, or with another environment. */
class Altered extends ChildProcesses {
  private readonly prefix: readonly string[];
  private readonly env: Record<string, string>;

  constructor(prefix: readonly string[], env: Record<string, string> = {}) {
    super();
    this.prefix = prefix;
    this.env = env;
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}) {
    const [first = command, ...rest] = [...this.prefix, command, ...args];
    return super.run(first, rest, { ...options, env: { ...options.env, ...this.env } });
  }

  override resident(command: string, args: readonly string[], env: Record<string, string>) {
    const [first = command, ...rest] = [...this.prefix, command, ...args];
    return super.resident(first, rest, { ...env, ...this.env });
  }
}

const withoutRawSockets = ['setpriv', '--bounding-set', '-net_raw'];

real('an incomplete file of a crash is removed', async (t) => {
  const place = await placeFor(t);
  const target = await place.readyTarget();
  await writeFile(join(place.directory, 'exports', `${randomUUID()}.env.new`), 'VBLADE_ARGS=');
  t.is((await target.listTraces()).length, 1);
  t.deepEqual(await (await place.readyTarget()).listTraces(), []);
});

test('a missing interface is InterfaceDown', async (t) => {
  const place = await placeFor(t);
  const error = await t.throwsAsync(place.target({ interface: 'eth99' }).setup(), { code: 'InterfaceDown' });
  t.is(error?.message, 'network interface eth99 does not exist');
});

real('an interface that is down is InterfaceDown', async (t) => {
  const { near: name } = await Veth.create(t, { up: false });
  const place = await placeFor(t);
  const target = place.target({ interface: name });
  const error = await t.throwsAsync(target.setup(), { code: 'InterfaceDown' });
  t.is(error?.message, `network interface ${name} is down`);
});

real('exports and discovery fail with the name of an interface that disappears later', async (t) => {
  const veth = await Veth.create(t);
  const name = veth.near;
  const place = await placeFor(t);
  const target = await place.readyTarget({ interface: name });
  await veth.set('down');
  await t.throwsAsync(target.ensureExport(await place.volume(1)), { code: 'InterfaceDown', message: /is down$/ });
  await t.throwsAsync(target.discover([1]), { code: 'InterfaceDown', message: /is down$/ });
});

real('a missing vblade is CommandNotFound', async (t) => {
  const place = await placeFor(t);
  const processes = new Altered([], { PATH: place.directory });
  await t.throwsAsync(place.target({}, { processes }).setup(), {
    code: 'CommandNotFound',
    message: 'the command vblade is not installed',
  });
});

real('a missing tc is CommandNotFound, and with aoe_unfiltered a warning', async (t) => {
  const place = await placeFor(t);
  const bin = join(place.directory, 'bin');
  await mkdir(bin);
  for (const name of ['perl', 'vblade', 'setsid', 'setpriv', 'true', 'sh']) {
    const found = ['/usr/sbin', '/usr/bin'].map((directory) => join(directory, name)).find(existsSync);
    if (found) await symlink(found, join(bin, name));
  }
  const processes = new Altered([], { PATH: bin });
  await t.throwsAsync(place.target({}, { processes }).setup(), {
    code: 'CommandNotFound',
    message: 'the command tc is not installed',
  });
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => warnings.push(message) };
  const target = place.target({ unfiltered: true }, { processes, log });
  await target.setup();
  await target.ensureExport(await place.volume(1));
  t.is((await place.vblades()).length, 1);
  t.deepEqual(warnings, ['exports are not fenced: the command tc is not installed']);
});

real('a missing permission for raw sockets is NoRawSocket', async (t) => {
  const place = await placeFor(t);
  const processes = new Altered(withoutRawSockets);
  const target = place.target({}, { processes });
  const error = await t.throwsAsync(target.setup(), { code: 'NoRawSocket' });
  t.is(error?.message, 'vblade is not permitted to open a raw socket on lo');
});

real('a permission for raw sockets that is lost later is NoRawSocket', async (t) => {
  const place = await placeFor(t);
  const prefix: string[] = [];
  const target = place.target({}, { processes: new Altered(prefix) });
  await target.setup();
  prefix.push(...withoutRawSockets);
  await t.throwsAsync(target.ensureExport(await place.volume(1)), { code: 'NoRawSocket' });
  await t.throwsAsync(target.discover([1]), { code: 'NoRawSocket' });
  t.deepEqual(await place.vblades(), []);
});

test('nothing is exported before setup', async (t) => {
  const place = await placeFor(t);
  await t.throwsAsync(place.target().ensureExport(await place.volume(1)), { message: /setup\(\) comes first/ });
});
