/** What is served besides the API. */
export const monitoringPaths = ['/healthcheck', '/healthcheck/live', '/healthcheck/ready', '/metrics'] as const;
