-- A node that will not be back soon is declared lost: what it was at ends, its volumes say so and hold up nobody, and a daemon
-- that still runs there may change nothing more.
-- ARGV: node; JSON {topic, fault (JSON text), unset = the fields of an attachment}
-- Answers: ok volumes | NodeNotFound | NodeUp
local node = ARGV[1]
local loss = cjson.decode(ARGV[2])
if not redis.call('ZSCORE', key_nodes(), node) then return { 'NodeNotFound' } end
if is_up(node) then return { 'NodeUp' } end

redis.call('HSET', key_node(node), 'fence', string.format('%d-lost', now()))
redis.call('HSETNX', key_node(node), 'lost', string.format('%d', now()))

-- A creation that another node handed to it, and that it has not taken, is for any node again.
local topic = key_topic(loss.topic .. '.' .. node)
for _, entry in ipairs(redis.call('XRANGE', topic, '-', '+')) do
  local message = entry[2][2]
  local volume = redis.call('HMGET', key_volume(cjson.decode(message).id), 'status', 'node')
  if volume[1] == 'creating' and not volume[2] then send(loss.topic, message) end
end
redis.call('DEL', topic) -- with what had been fetched; enter makes it again

local keeps = { error = true, error_deleting = true }
local ids = redis.call('ZRANGE', key_nodeVolumes(node), 0, -1)
for _, id in ipairs(ids) do
  local record = load(key_volume(id))
  if record and record.status == 'deleting' then
    forget_volume(id, record)
  elseif record and not keeps[record.status] then
    redis.call('HSET', key_volume(id), 'status', 'error', 'fault', loss.fault)
    if record.attachStatus ~= 'attached' then
      redis.call('HSET', key_volume(id), 'attachStatus', 'detached')
      redis.call('HDEL', key_volume(id), unpack(loss.unset))
    end
    redis.call('ZREM', key_pending(node), id)
  end
end
return { 'ok', tostring(#ids) }
