-- A daemon that stops gives its node's name back: the node is stopped at once, gets no new volumes, and may start again at once.
-- ARGV: node; token
-- Answers: ok | Fenced
-- Complexity: O(backends of the node × log N).
-- uses: now, holds, key_lease, key_node, key_nodeBackends, key_freeSpace
local node, token = ARGV[1], ARGV[2]
if not holds(node, token) then return { 'Fenced' } end
redis.call('DEL', key_lease(node))
redis.call('HSET', key_node(node), 'stopTime', string.format('%d', now()))
for _, backend in ipairs(redis.call('ZRANGE', key_nodeBackends(node), 0, -1)) do
  redis.call('ZREM', key_freeSpace(), backend)
end
return { 'ok' }
