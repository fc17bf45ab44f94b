import { basename } from 'node:path';
import { type CrashBackend, backends, scenesOn } from '../test/crash/backends.ts';
import { longestLabFiles } from '../test/lab/longest-files.ts';
import { missingForIscsi, missingForLab, missingForLio } from '../test/lab/requirements.ts';
import { missingForReal } from '../test/lib/targets/iscsi-tgt/requirements.ts';
import { missingForNvmet } from '../test/lib/targets/nvmet/requirements.ts';
import { sampleNumber } from '../test/support/sample.ts';
import { checks } from './checks.ts';
import type { Scope } from './part-inputs.ts';
import { type Stage, ava, command } from './stages.ts';

const lvmTest = 'test/lab/lvm.test.ts';
const iscsiTests = ['iscsi', 'iscsi-lio', 'iscsi-ipv6'].map((name) => `test/lab/${name}.test.ts`);
const libiscsiTest = 'test/lib/targets/iscsi-tgt/libiscsi.test.ts';
const killsTest = 'test/services/daemon/migration-kills.test.ts';
const apiKillsTest = 'test/services/daemon/api-kills.test.ts';
const lioTest = 'test/lab/lio-libiscsi.test.ts';
const nvmetTest = 'test/lib/targets/nvmet/guest.test.ts';
const driverTests = {
  file: 'test/lib/drivers/file/conformance.test.ts',
  rbd: 'test/lib/drivers/rbd/conformance.test.ts',
  sheepdog: 'test/lib/drivers/sheepdog/conformance.test.ts',
  zfs: 'test/lib/drivers/solaris/driver.test.ts',
  solaris: 'test/lib/san/solaris.test.ts',
  lefthand: 'test/lib/san/lefthand.test.ts',
};
/** What parts of these scopes run; braces as in the shell. */
export const filesOfScopes = {
  drivers: [...Object.values(driverTests), lvmTest, libiscsiTest, lioTest, nvmetTest],
  programs: ['crash', 'simulation', 'model', 'damage', 'lab/chaos'].map((name) => `test/${name}/run.ts`),
} as const satisfies Partial<Record<Scope, readonly string[]>>;
const simulatedSeeds = 1000;
const seedsAtOnce = 50;
const modelRuns = 1000;
const runsAtOnce = 500;
const chaosMinutes = 60;
const minutesAtOnce = 30;

/** A stage with the scope of what its result depends on. */
export interface Part extends Stage {
  scope: Scope;
}

/** Of parts that are not named here, some tests use the API. */
const scopeNames: readonly (readonly [Scope, RegExp])[] = [
  ['drivers', /^(?:drivers-.*|lvm|lvm-long|hostile-lvm|iscsi-conformance|lio-libiscsi|nvmet)$/],
  ['programs', /^(?:crash-.*|simulation-.*|model-.*|damage|chaos-.*)$/],
  ['storage', /^(?:lab-.*|iscsi.*|deb-iscsi|migration-kills)$/],
];

/** All tests, in parts of at most 40 minutes on two processors. */
export function parts(): Part[] {
  return stages().map((stage) => Object.assign(stage, { scope: scopeOf(stage.name) }));
}

function scopeOf(name: string): Scope {
  return scopeNames.find(([, names]) => names.test(name))?.[0] ?? 'code';
}

function stages(): Stage[] {
  return [
    ...checks.map(({ name, run }) => ({ name: `check-${name.replaceAll(' ', '-')}`, run })),
    ava('unit', 'test/unit.config.js'),
    ava('nodes', 'test/nodes.config.js'),
    ava('api', 'test/api.config.js'),
    ava('daemons', 'test/daemons.config.js'),
    // One case at a time: they are hundreds, and their commands have limits of a minute.
    ...Object.entries(driverTests).map(([name, file]) =>
      command(`drivers-${name}`, 'env', [
        'DRIVER_CASES=all',
        'ava',
        '--serial',
        '--config',
        'test/daemons.config.js',
        file,
      ]),
    ),
    ava('sample', 'test/sample.config.js'),
    ava('lab', 'test/lab/part.config.js', missingForLab),
    ...longestLabFiles.map((name) =>
      command(`lab-${name}`, 'ava', ['--config', 'test/lab/ava.config.js', `test/lab/${name}.test.ts`], missingForLab),
    ),
    ava('hostile', 'test/hostile.config.js'),
    ...['all', 'long'].map((cases) =>
      command(
        cases === 'all' ? 'lvm' : `lvm-${cases}`,
        'env',
        [`LVM_CASES=${cases}`, 'ava', '--config', 'test/lab/ava.config.js', lvmTest],
        missingForLab,
      ),
    ),
    ...iscsiTests.map((file) =>
      command(
        basename(file, '.test.ts'),
        'env',
        ['ISCSI_CASES=all', 'ava', '--config', 'test/lab/ava.config.js', file],
        missingForIscsi,
      ),
    ),
    command(
      'iscsi-conformance',
      'env',
      ['ISCSI_CASES=all', 'ava', '--config', 'test/daemons.config.js', libiscsiTest],
      missingForReal,
    ),
    command(
      'deb-iscsi',
      'env',
      ['ISCSI_CASES=all', 'ava', '--config', 'test/lab/ava.config.js', 'test/lab/deb-iscsi.test.ts'],
      missingForIscsi,
    ),
    command(
      'lio-libiscsi',
      'env',
      ['ISCSI_CASES=all', 'ava', '--config', 'test/lab/ava.config.js', lioTest],
      missingForLio,
    ),
    command(
      'nvmet',
      'env',
      ['NVMET_CASES=all', 'ava', '--config', 'test/daemons.config.js', nvmetTest],
      missingForNvmet,
    ),
    command('migration-kills', 'env', ['MIGRATION_KILLS=all', 'ava', '--config', 'test/daemons.config.js', killsTest]),
    command('api-kills', 'env', ['API_KILLS=all', 'ava', '--config', 'test/daemons.config.js', apiKillsTest]),
    command('hostile-lvm', 'env', ['HOSTILE=1', 'ava', '--config', 'test/lab/ava.config.js', lvmTest], missingForLab),
    ...Object.entries(backends).flatMap(([name, backend]) =>
      Object.keys(scenesOn(backend)).flatMap((scene) => crashParts(name, backend, scene)),
    ),
    ...inParts('simulation', simulatedSeeds, seedsAtOnce, (part) => {
      const seed = sampleNumber('simulated seeds', 1_000_000) + (part - 1) * seedsAtOnce;
      return script('test/simulation/run.ts', '--seed', seed, '--seeds', seedsAtOnce, '--hours', 24);
    }),
    ...inParts('model', modelRuns, runsAtOnce, (part) =>
      script('test/model/run.ts', '--runs', runsAtOnce, '--seed', sampleNumber(`model ${part}`, 1_000_000)),
    ),
    command('damage', process.execPath, script('test/damage/run.ts')),
    command('fuzz-api', process.execPath, fuzz('block-storage', 100_000, 'requests to the API')),
    command('fuzz-identity', process.execPath, fuzz('identity', 50_000, 'requests to the identity service')),
    ...inParts('chaos', chaosMinutes, minutesAtOnce, chaosPart, missingForLab),
  ];
}

/**
 * All points of an operation, with the ways of asking again in turn; where each takes long, one for each state that they can leave: the
 * others would repeat these.
 */
function crashParts(name: string, backend: CrashBackend, scene: string): Stage[] {
  const { on, isPair = false, isSlow = isPair || on === 'machine', missing } = backend;
  const count = isSlow && scenesOn(backend)[scene]?.starting === true ? 2 : 1;
  const make = (part: number) =>
    script('test/crash/run.ts', name, scene, ...(isSlow ? ['states'] : []), `${part}/${count}`);
  return inParts(`crash-${name}-${scene}`, count, 1, make, missing);
}

function chaosPart(part: number): string[] {
  const seed = sampleNumber(`chaos ${part}`, 1_000_000);
  return script('test/lab/chaos/run.ts', '--minutes', minutesAtOnce, '--seed', seed);
}

/** Returns a part per `step` points, numbered if there are several. */
function inParts(
  name: string,
  whole: number,
  step: number,
  make: (part: number) => string[],
  missing?: () => Promise<string | undefined>,
): Stage[] {
  const count = Math.ceil(whole / step);
  return Array.from({ length: count }, (_, index) =>
    command(count > 1 ? `${name}-${index + 1}` : name, process.execPath, make(index + 1), missing),
  );
}

function fuzz(service: string, requests: number, seed: string): string[] {
  const options = ['--service', service, '--requests', requests, '--seed', sampleNumber(seed, 1_000_000)];
  return script('test/fuzz-api/run.ts', ...options);
}

function script(file: string, ...args: (string | number)[]): string[] {
  return [file, ...args.map(String)];
}
