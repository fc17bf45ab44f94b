-- A node becomes the owner of an AoE shelf.
-- ARGV: node; token; shelf
-- Answers: ok | Taken owner | Fenced
-- Complexity: O(log N).
-- uses: holds, key_shelves, key_shelfOwners, key_nodeShelves
local node, token, shelf = ARGV[1], ARGV[2], ARGV[3]
if not holds(node, token) then return { 'Fenced' } end

local owner = redis.call('HGET', key_shelfOwners(), shelf)
if owner and owner ~= node then return { 'Taken', owner } end
redis.call('HSET', key_shelfOwners(), shelf, node)
redis.pcall('ZADD', key_shelves(), shelf, shelf)
redis.pcall('ZADD', key_nodeShelves(node), shelf, shelf)
return { 'ok' }
