import { BlockstoreError } from './blockstore-error.ts';

/** Errors of Sheepdog. `cluster` is where it is reached, `<address>:<port>`. */
export const sheepdogErrors = {
  sheepdogMissing: (cluster: string) =>
    new BlockstoreError(
      'CommandNotFound',
      'failed',
      `the command dog (before Sheepdog 0.8: collie) for the Sheepdog cluster at ${cluster} is not installed`,
      'install Sheepdog on this node and see that its commands are on PATH; Debian 12 has no package of it',
    ),
  sheepdogDown: (cluster: string, reason: string) =>
    new BlockstoreError(
      'SheepdogUnavailable',
      'unavailable',
      `the Sheepdog cluster at ${cluster} does not answer: ${reason}`,
      'start the daemon sheep there, or correct sheepdog_address and sheepdog_port',
    ),
  sheepdogNotRunning: (cluster: string, status: string) =>
    new BlockstoreError(
      'SheepdogUnavailable',
      'unavailable',
      `the Sheepdog cluster at ${cluster} does not serve: ${JSON.stringify(status)}`,
      /formatted/i.test(status)
        ? 'if the cluster is new: dog cluster format --copies=N, with N as in sheepdog_copies'
        : 'start sheep on the other nodes of the cluster; see "dog cluster info" and "dog node list"',
    ),
  sheepdogFailed: (command: string, cluster: string, reason: string) =>
    new BlockstoreError(
      'SheepdogFailed',
      'failed',
      `"${command}" failed at the Sheepdog cluster ${cluster}: ${reason}`,
      'correct the cause that Sheepdog names, then retry; for more, read sheep.log on its nodes',
    ),
  sheepdogUnreadable: (command: string, cluster: string, output: string) =>
    new BlockstoreError(
      'AnswerUnreadable',
      'failed',
      `"${command}" at the Sheepdog cluster ${cluster} printed unexpected output: ${JSON.stringify(output.slice(0, 200))}`,
      'run that command on the node, and check the version of Sheepdog and sheep.log',
    ),
};
