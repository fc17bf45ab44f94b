import { parentPort } from 'node:worker_threads';
import { type Plan, simulate } from './simulation.ts';

/** One thread of `npm run simulate`: a plan comes in, its outcome goes out. */
parentPort?.on('message', (plan: Plan) => {
  void simulate(plan).then((outcome) => parentPort?.postMessage(outcome, []));
});
