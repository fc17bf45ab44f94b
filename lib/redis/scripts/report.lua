-- A node's heartbeat: renews its lease, writes what differs from its report, whoever changed it, and returns the tasks that are overdue.
-- ARGV: node; token; holder; lease (ms); age (ms) from which a task is overdue; JSON {node = fields, backends = {{id, fields}…}} (texts)
-- Answers: ok time id… (longest first) | Fenced
-- Complexity: O(backends of the node × log N + overdue tasks, at most 1,000).
-- without memory: true
-- uses: now, load_own, call_if_typed, holds, update_free_space, reindex, key_lease, key_node, key_tasks, key_backend, key_nodeBackends
local node, token, holder, lease, age = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local report = cjson.decode(ARGV[6])

if not holds(node, token) then return { 'Fenced' } end
redis.call('SET', key_lease(node), holder, 'PX', lease)
local time = now()

local function write(key, fields)
  local record, flat = load_own(key), {}
  for field, value in pairs(fields) do
    if record[field] ~= value then
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
  end
  if #flat > 0 then redis.call('HSET', key, unpack(flat)) end
  return record
end

-- Returns the backends in the index of the node; an index of a wrong type is made again.
local function indexed()
  local ids = call_if_typed('ZRANGE', key_nodeBackends(node), 0, -1)
  if not ids then redis.call('DEL', key_nodeBackends(node)) end
  return ids or {}
end

-- What the index of a backend needs of its record. A backend whose storage does not answer reports no `shared`: it keeps its own.
local function placed(record)
  return { node = node, shared = record.shared }
end

-- Backends that the node no longer has: without volumes they are forgotten.
local function retire_others(configured)
  for _, id in ipairs(indexed()) do
    if not configured[id] then
      local key, is_own = key_backend(id), id:sub(1, #node + 1) == node .. '@'
      local known = is_own and load_own(key) or {}
      if not is_own then
        reindex('backend', id, placed(known), nil, time)
      elseif tonumber(known.allocatedBytes or 0) == 0 then
        redis.call('DEL', key)
        reindex('backend', id, placed(known), nil, time)
        update_free_space(id)
      else
        write(key, { accepting = 'false', problem = 'it is not among the enabled_backends of its node' })
        update_free_space(id)
      end
    end
  end
end

report.node.reportTime = string.format('%d', time)
local record = write(key_node(node), report.node)
-- Who holds the name is neither stopped nor lost: declaring it lost takes the token away.
if record.stopTime or record.lost then redis.call('HDEL', key_node(node), 'stopTime', 'lost') end
local created = record.createTime
if not (created and created:match('^%d+$')) then
  created = report.node.reportTime
  redis.call('HSET', key_node(node), 'createTime', created)
end
reindex('node', node, nil, { createTime = created }, time)
local configured = {}
for _, backend in ipairs(report.backends) do
  local id, fields = backend[1], backend[2]
  fields.node = node
  configured[id] = true
  local is_private = fields.shared == ''
  if is_private then fields.shared = nil end
  local known = write(key_backend(id), fields)
  local shared = fields.shared or not is_private and known.shared or nil
  if known.shared and known.shared ~= shared then reindex('backend', id, placed(known), nil, time) end
  if known.shared and is_private then redis.call('HDEL', key_backend(id), 'shared') end
  reindex('backend', id, nil, { node = node, shared = shared }, time)
end
retire_others(configured)
for id in pairs(configured) do update_free_space(id) end
local overdue = call_if_typed('ZRANGE', key_tasks(node), '-inf', time - age, 'BYSCORE', 'LIMIT', 0, 1000)
return { 'ok', report.node.reportTime, unpack(overdue or {}) }
