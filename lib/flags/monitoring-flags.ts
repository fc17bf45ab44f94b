import { isListenAddress, listenRule } from './api-flags.ts';
import { flag, listOf, text } from './flag.ts';

/** For the daemon. */
export const monitoringFlags = {
  metrics_listen: flag(
    listOf(isListenAddress, listenRule),
    [],
    'addresses at which this node serves /healthcheck and /metrics to everybody who reaches them, such as 192.0.2.7:9776; empty: none',
  ),
  tracing_module: flag(
    text.regex(/^(\/.*)?$/, 'must be an absolute path'),
    '',
    'JavaScript module that starts an SDK of OpenTelemetry; the daemon loads it, and traces its work from then on; empty: none',
  ),
};
