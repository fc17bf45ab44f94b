-- Frees shelves of a node that was removed, at most 1,000 a call.
-- ARGV: node
-- Answers: ok left
-- Complexity: O(shelves freed × log N).
-- uses: key_node, key_shelves, key_shelfOwners, key_nodeShelves
local node = ARGV[1]
if redis.call('EXISTS', key_node(node)) == 1 then return { 'ok', '0' } end
for _, shelf in ipairs(redis.call('ZRANGE', key_nodeShelves(node), 0, 999)) do
  if redis.call('HGET', key_shelfOwners(), shelf) == node then
    redis.call('HDEL', key_shelfOwners(), shelf)
    redis.call('ZREM', key_shelves(), shelf)
  end
  redis.call('ZREM', key_nodeShelves(node), shelf)
end
return { 'ok', tostring(redis.call('ZCARD', key_nodeShelves(node))) }
