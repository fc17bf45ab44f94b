import { BlockstoreError } from './blockstore-error.ts';

/** Errors of what watches a daemon. */
export const monitoringErrors = {
  metricsNotServed: (address: string, reason: string) =>
    new BlockstoreError(
      'MetricsNotServed',
      'failed',
      `health and metrics cannot be served at ${address}: ${reason}`,
      'set metrics_listen to an address of this machine and a free port; see "ss -ltnp"',
    ),
  tracingModuleFailed: (path: string, reason: string) =>
    new BlockstoreError(
      'TracingModuleFailed',
      'failed',
      `the tracing module ${path} cannot be loaded: ${reason}`,
      'run "node" with that file, or set tracing_module to nothing',
    ),
};
