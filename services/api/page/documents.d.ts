/** What the API answers, as /v3/openapi.json describes it: the fields that the page shows. Times are texts in UTC, sizes bytes or GiB. */

export interface Fault {
  code: string;
  message: string;
  hint: string | null;
  step: string | null;
  time: string | null;
}

export interface Attachment {
  attachment_id: string;
  server_id: string | null;
  host_name: string | null;
  device: string | null;
  attached_at: string;
}

export interface Volume {
  id: string;
  name: string | null;
  status: string;
  size: number;
  description: string | null;
  volume_type: string | null;
  availability_zone: string;
  created_at: string;
  attachments: Attachment[];
  metadata: Record<string, string>;
  multiattach: boolean;
  bootable: string;
  encrypted: boolean;
  snapshot_id: string | null;
  source_volid: string | null;
  user_id: string;
  'os-vol-host-attr:host'?: string | null;
  'os-vol-tenant-attr:tenant_id': string;
}

export interface Operation {
  volume_id: string;
  name: string | null;
  project_id: string;
  status: string;
  task: string | null;
  progress: number | null;
  step: string | null;
  attempts: number;
  node: string | null;
  address: string | null;
  requested_by: string | null;
  started_at: string | null;
  fault: Fault | null;
}

export interface ClusterEvent {
  id: string;
  time: string;
  event: string;
  name: string | null;
  volume_id: string | null;
  object_id: string | null;
  node: string | null;
  project_id: string | null;
  requested_by: string | null;
  duration_ms: number | null;
  fault: Fault | null;
}

export interface Backend {
  name: string;
  driver: string;
  target: string;
  pool: string;
  capabilities: string[];
  total_bytes: number;
  free_bytes: number;
  allocated_bytes: number;
  accepting: boolean;
  closed: boolean;
  problem: string | null;
}

export interface StorageNode {
  name: string;
  state: string;
  closed: boolean;
  availability_zone: string;
  version: string;
  volumes: number;
  under_way: number;
  total_bytes: number;
  free_bytes: number;
  started_at: string | null;
  last_seen_at: string | null;
  problems: string[];
  backends: Backend[];
}

export interface ClusterStatus {
  version: string;
  nodes: Record<string, number>;
  total_bytes: number;
  free_bytes: number;
  volumes: number;
  snapshots: number;
  attachments: number;
  under_way: number;
  problems: { message: string; hint: string }[];
  complete: boolean;
}

export interface Caller {
  user_id: string;
  project_id: string;
  roles: string[];
}

export interface Snapshot {
  id: string;
  name: string | null;
  size: number;
  status: string;
  created_at: string;
}

/** A part of the page. */
export interface View {
  title: string;
  content: Element[];
  /** Reads what it shows, and shows it; `events` have come since. Throws ApiError. */
  update: (events: readonly ClusterEvent[]) => Promise<void>;
}

/** What every view gets. */
export interface Context {
  caller: Caller;
  isAdministrator: boolean;
  /** Whether the reader may change volumes. */
  canChange: boolean;
  /** What its address names, such as the id of a volume. */
  parts: readonly string[];
  query: URLSearchParams;
  /** Reads everything now. */
  refresh: () => void;
  /** The reader has asked for a change: says so, and later how it ends for the volume. */
  changed: (text: string, volume?: { id: string; name: string }) => void;
}
