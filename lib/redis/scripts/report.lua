-- A node's heartbeat: its lease goes on, its record says how it is. Gives back what the node has to go on with.
-- ARGV: node; fence; holder; lease (ms); age (ms) from which work is given back; JSON fields (texts)
-- Answers: ok id… (volumes of this node in a transitional status, longest first) | Fenced
local node, fence, holder, lease, age = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

if not holds(node, fence) then return { 'Fenced' } end
redis.call('SET', key_lease(node), holder, 'PX', lease)
local flat = {}
for field, value in pairs(cjson.decode(ARGV[6])) do
  flat[#flat + 1] = field
  flat[#flat + 1] = value
end
redis.call('HSET', key_node(node), 'reportTime', string.format('%d', now()),
  'volumes', redis.call('ZCARD', key_nodeVolumes(node)), 'pending', redis.call('ZCARD', key_pending(node)),
  'freeNumbers', redis.call('ZCARD', key_freeNumbers(node)), unpack(flat))
local overdue = redis.call('ZRANGE', key_pending(node), '-inf', now() - age, 'BYSCORE', 'LIMIT', 0, 1000)
return { 'ok', unpack(overdue) }
