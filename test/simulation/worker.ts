import { parentPort } from 'node:worker_threads';
import { type Plan, simulate } from './simulation.ts';

// Nobody reads the stacks of the many errors, and each takes as long as a request.
Error.stackTraceLimit = 0;

/** One thread of `npm run simulate`: a plan comes in, its outcome goes out. */
parentPort?.on('message', (plan: Plan) => {
  void simulate(plan).then((outcome) => parentPort?.postMessage(outcome, []));
});
