/** What a daemon loads together. */
export { Monitoring } from './monitoring.ts';
export { MonitoringServer } from './server.ts';
