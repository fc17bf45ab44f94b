-- A command to a node itself.
-- ARGV: node; topic; message
-- Answers: ok | NodeNotFound | NodeDown
local node = ARGV[1]
if not redis.call('ZSCORE', key_nodes(), node) then return { 'NodeNotFound' } end
if not is_up(node) then return { 'NodeDown' } end
send(ARGV[2] .. '.' .. node, ARGV[3])
return { 'ok' }
