-- A daemon that stops gives its node's name back: the node is down at once, and may start again at once.
-- ARGV: node; fence
-- Answers: ok | Fenced
local node, fence = ARGV[1], ARGV[2]
if not holds(node, fence) then return { 'Fenced' } end
redis.call('DEL', key_lease(node))
redis.call('HSET', key_node(node), 'stopTime', string.format('%d', now()))
return { 'ok' }
