-- A node becomes the owner of an AoE shelf: of the one that it names, or of the lowest free one from `first` to `last`.
-- ARGV: node; token; first; last; shelf, or ''
-- Answers: ok shelf | Taken owner | NoShelf | Fenced
-- Complexity: O(log² N): free shelves are found by counting the owned ones.
-- uses: holds, key_shelves, key_shelfOwners, key_nodeShelves
local node, token, first, last, shelf = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if not holds(node, token) then return { 'Fenced' } end

local function are_all_owned(to)
  return redis.call('ZCOUNT', key_shelves(), first, to) == to - first + 1
end

if not shelf then
  if are_all_owned(last) then return { 'NoShelf' } end
  local low, high = first, last
  while low < high do
    local middle = math.floor((low + high) / 2)
    if are_all_owned(middle) then low = middle + 1 else high = middle end
  end
  shelf = low
end

local owner = redis.call('HGET', key_shelfOwners(), shelf)
if owner and owner ~= node then return { 'Taken', owner } end
-- Not where it is the owner already: without memory Redis refuses also a write that changes nothing.
if not owner then redis.call('HSET', key_shelfOwners(), shelf, node) end
redis.pcall('ZADD', key_shelves(), shelf, shelf)
redis.pcall('ZADD', key_nodeShelves(node), shelf, shelf)
return { 'ok', string.format('%d', shelf) }
