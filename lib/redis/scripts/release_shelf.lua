-- A node gives an AoE shelf back that it has claimed and not used.
-- ARGV: node; token; shelf
-- Answers: ok | Fenced
-- Complexity: O(log N).
-- uses: holds, key_shelves, key_shelfOwners, key_nodeShelves
local node, token, shelf = ARGV[1], ARGV[2], ARGV[3]
if not holds(node, token) then return { 'Fenced' } end
redis.pcall('ZREM', key_nodeShelves(node), shelf)
if redis.call('HGET', key_shelfOwners(), shelf) == node then
  redis.call('HDEL', key_shelfOwners(), shelf)
  redis.pcall('ZREM', key_shelves(), shelf)
end
return { 'ok' }
