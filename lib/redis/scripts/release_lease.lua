-- A daemon that stops gives its node's name back: the node is stopped at once, gets no new volumes, and may start again at once.
-- ARGV: node; token
-- Answers: ok | Fenced
-- Complexity: O(backends of the node × log N).
-- without memory: true
-- uses: now, holds, call_if_typed, key_lease, key_node, key_nodeBackends, key_freeSpace
local node, token = ARGV[1], ARGV[2]
if not holds(node, token) then return { 'Fenced' } end
redis.call('HSET', key_node(node), 'stopTime', string.format('%d', now()))
redis.call('DEL', key_lease(node))
for _, backend in ipairs(call_if_typed('ZRANGE', key_nodeBackends(node), 0, -1) or {}) do
  redis.pcall('ZREM', key_freeSpace(), backend)
end
return { 'ok' }
