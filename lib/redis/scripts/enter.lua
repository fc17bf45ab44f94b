-- A daemon takes its node's name, unless another one holds it. The fencing number is one that no other taking ever has, also
-- where Redis went back in time: the time, and a random part. What was deleted while the node was lost is its own again, to
-- be deleted.
-- With the fence that it had before, a daemon takes its name again: only where Redis lost that fence, not where another
-- daemon's taking or a loss came after it.
-- ARGV: node; holder; lease (ms); topic; random part, of each daemon its own; fence before, or ''
-- Answers: ok fence | NodeNameTaken holder milliseconds | Fenced
local node, holder, lease, topic, random, before = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

local function time_of(fence) return tonumber(fence:match('^%d+')) or 0 end

local held_by = redis.call('GET', key_lease(node))
if held_by and held_by ~= holder then
  return { 'NodeNameTaken', held_by, tostring(redis.call('PTTL', key_lease(node))) }
end
local last = redis.call('HGET', key_node(node), 'fence')
local is_own = last and last:match('-(.*)$') == random
if before ~= '' and last and not is_own and time_of(last) >= time_of(before) then return { 'Fenced' } end
local fence = string.format('%d-%s', now(), random)
redis.call('HSET', key_node(node), 'fence', fence)
redis.call('HDEL', key_node(node), 'stopTime')
redis.call('SET', key_lease(node), holder, 'PX', lease)
if redis.call('HDEL', key_node(node), 'lost') == 1 then
  for _, id in ipairs(redis.call('ZRANGE', key_forgotten(node), 0, -1)) do
    if redis.call('RENAMENX', key_forgottenVolume(id), key_volume(id)) == 1 then
      redis.call('HSET', key_volume(id), 'status', 'deleting')
      local record = load(key_volume(id))
      index_volume(id, record)
      place(id, record, node, now())
    end
  end
  redis.call('DEL', key_forgotten(node))
end
redis.call('ZADD', key_nodes(), 'NX', now(), node)
for _, name in ipairs({ topic, topic .. '.' .. node }) do
  redis.pcall('XGROUP', 'CREATE', key_topic(name), 'nodes', '0', 'MKSTREAM')
end
return { 'ok', fence }
