-- A daemon takes its node's name, unless another one holds it. The fencing number grows with every taking.
-- What was deleted while the node was lost is its own again, to be deleted.
-- ARGV: node; holder; lease (ms); topic
-- Answers: ok fence | NodeNameTaken holder milliseconds
local node, holder, lease, topic = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local held_by = redis.call('GET', key_lease(node))
if held_by and held_by ~= holder then
  return { 'NodeNameTaken', held_by, tostring(redis.call('PTTL', key_lease(node))) }
end
local fence = redis.call('HINCRBY', key_node(node), 'fence', 1)
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
return { 'ok', tostring(fence) }
