-- A node's heartbeat: renews its lease, writes what changed since the last report, returns the tasks that are overdue.
-- ARGV: node; token; holder; lease (ms); age (ms) from which a task is overdue; JSON {node = fields, backends = {{id, fields}…}, isWhole} (texts)
-- Answers: ok 'complete' | 'incomplete' (Redis lacks fields that earlier reports wrote) id… (longest first) | Fenced
-- Complexity: O(backends of the node × log N + overdue tasks, at most 1,000).
-- uses: now, holds, update_free_space, reindex, key_lease, key_node, key_tasks, key_backend, key_nodeBackends
local node, token, holder, lease, age = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local report = cjson.decode(ARGV[6])

if not holds(node, token) then return { 'Fenced' } end
redis.call('SET', key_lease(node), holder, 'PX', lease)
local time = now()

local function write(key, fields)
  local flat = {}
  for field, value in pairs(fields) do
    flat[#flat + 1] = field
    flat[#flat + 1] = value
  end
  if #flat > 0 then redis.call('HSET', key, unpack(flat)) end
end

-- Backends that the node no longer has: without volumes they are forgotten.
local function retire_others(configured)
  for _, id in ipairs(redis.call('ZRANGE', key_nodeBackends(node), 0, -1)) do
    if not configured[id] then
      local key = key_backend(id)
      if tonumber(redis.call('HGET', key, 'allocatedBytes') or 0) == 0 then
        redis.call('DEL', key)
        reindex('backend', id, { node = node }, nil, time)
      else
        redis.call('HSET', key, 'accepting', 'false', 'problem', 'it is not among the enabled_backends of its node')
      end
      update_free_space(id)
    end
  end
end

report.node.reportTime = string.format('%d', time)
write(key_node(node), report.node)
local complete = redis.call('HEXISTS', key_node(node), 'version') == 1
for _, backend in ipairs(report.backends) do
  local id, fields = backend[1], backend[2]
  if next(fields) then
    fields.node = node
    write(key_backend(id), fields)
    reindex('backend', id, nil, { node = node }, time)
  elseif redis.call('HEXISTS', key_backend(id), 'driver') == 0 then
    complete = false
  end
  update_free_space(id)
end
if report.isWhole then
  local configured = {}
  for _, backend in ipairs(report.backends) do configured[backend[1]] = true end
  retire_others(configured)
end
local overdue = redis.call('ZRANGE', key_tasks(node), '-inf', time - age, 'BYSCORE', 'LIMIT', 0, 1000)
return { 'ok', complete and 'complete' or 'incomplete', unpack(overdue) }
