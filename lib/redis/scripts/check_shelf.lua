-- Compares the indexes of an AoE shelf with its owner; with 'repair' what is certain is corrected.
-- ARGV: shelf; node in whose index it is, or ''; 'repair' or ''
-- Answers: ok | Lacks index | Unowned (no owner, and in the index of that node) | Stray (no owner, and in the index of all) | Taken owner
-- Complexity: O(log N).
-- uses: key_shelves, key_shelfOwners, key_nodeShelves
local shelf, node, repair = ARGV[1], ARGV[2], ARGV[3] == 'repair'
local owner = redis.call('HGET', key_shelfOwners(), shelf)

local function has(index)
  local score = redis.call('ZSCORE', index, shelf)
  return score and tonumber(score) == tonumber(shelf)
end

if not owner and node == '' then
  if repair then redis.call('ZREM', key_shelves(), shelf) end
  return { 'Stray' }
end
if not owner then
  if repair then
    redis.call('HSET', key_shelfOwners(), shelf, node)
    redis.call('ZADD', key_shelves(), shelf, shelf)
  end
  return { 'Unowned' }
end
if node ~= '' and node ~= owner then return { 'Taken', owner } end
for _, index in ipairs({ key_shelves(), key_nodeShelves(owner) }) do
  if not has(index) then
    if repair then redis.call('ZADD', index, shelf, shelf) end
    return { 'Lacks', index:sub(#KEYS[1] + 1) }
  end
end
return { 'ok' }
