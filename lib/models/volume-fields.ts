/** Fields of a record that go with its attachment. */
export const attachmentFields = [
  'instanceId',
  'attachmentRestored',
  'hostName',
  'hostId',
  'domain',
  'libvirtUri',
  'mountpoint',
  'attachMode',
  'attachHosts',
  'chap',
  'attachTime',
] as const;

/** Fields of a record that go with its transfer. */
export const transferFields = ['transfer', 'transferExpires'] as const;

/** Fields of a record that go with its restore. */
export const restoreFields = ['backup', 'restoreTime'] as const;

/** Fields that go with a task. */
export const taskFields = ['task', 'by', 'requesters', 'progress', 'step', 'attempts'] as const;
