-- A daemon takes its node's name, unless another one holds it. The fencing number grows with every taking.
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
redis.call('ZADD', key_nodes(), 'NX', now(), node)
for _, name in ipairs({ topic, topic .. '.' .. node }) do
  redis.pcall('XGROUP', 'CREATE', key_topic(name), 'nodes', '0', 'MKSTREAM')
end
return { 'ok', tostring(fence) }
