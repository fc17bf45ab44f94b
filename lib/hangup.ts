/** Whether the end of a terminal (SIGHUP) ends nothing, because nohup(1) started this: the launcher, which sees that, passes it on. */
export const ignoresHangup = process.env['BLOCKSTORE_NOHUP'] === '1';
