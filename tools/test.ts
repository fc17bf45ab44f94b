/**
 * `npm test`: runs checks of the code (each counts as one test), then the tests by tier; of crashes, model and simulation a
 * sample chosen by the commit. `npm run test:all` runs all of them.
 */
import { missingForLab } from '../test/lab/requirements.ts';
import { sampleName, sampleVariable } from '../test/support/sample.ts';
import { checks } from './checks.ts';
import { type Ended, type Stage, ava, report, runStage } from './stages.ts';

const stages: readonly Stage[] = [
  ...checks,
  ava('unit', 'test/unit.config.js'),
  ava('nodes', 'test/nodes.config.js'),
  ava('api', 'test/api.config.js'),
  ava('daemons', 'test/daemons-gate.config.js'),
  ava('sample', 'test/sample.config.js'),
  ava('lab', 'test/lab/gate.config.js', missingForLab),
];

console.log(`sample ${sampleName}; the same one: ${sampleVariable}=${sampleName} npm test`);
const ended: Ended[] = [];
for (const stage of stages) ended.push(await runStage(stage));
const ran = ended.some(({ passed, failed }, index) => !stages[index]?.isCheck && passed + failed > 0);
if (!ran) console.log('no test ran');
const { failed } = report(ended);
if (failed > 0 || !ran) process.exitCode = 1;
