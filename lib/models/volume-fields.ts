/** Fields of a record that go with its last attachment. */
export const attachmentFields = [
  'attachments',
  'attachMode',
  'attachHosts',
  'chap',
  'limitIops',
  'limitBytes',
  'announced',
] as const;

/** Fields of a record that go with its transfer. */
export const transferFields = ['transfer', 'transferExpires'] as const;

/** Fields of a record that go with its restore. */
export const restoreFields = ['restoreFrom', 'restoreTime'] as const;

/** Fields that go with a task. */
export const taskFields = ['task', 'attachment', 'by', 'requesters', 'progress', 'step', 'attempts'] as const;
