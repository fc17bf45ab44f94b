-- Whether every AoE number of a node's shelves is in one place: with a volume, free, or kept back. With 'repair' the free ones
-- are made anew, and shelves of its volumes that nobody has become the node's.
-- ARGV: node; fence; slots; 'repair' or ''
-- Answers: ok (number, 'lost' | 'free too' | 'twice' | 'foreign')… | Fenced
local node, fence, slots, repair = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4] == 'repair'
if not holds(node, fence) then return { 'Fenced' } end

local found = { 'ok' }
local function tell(number, what)
  found[#found + 1] = number
  found[#found + 1] = what
end

local used = used_numbers(node)
for number, count in pairs(used) do
  local shelf = number:match('^%d+')
  if count > 1 then tell(number, 'twice') end
  if redis.call('HGET', key_shelves(), shelf) ~= node then
    tell(number, 'foreign')
    if repair then redis.call('HSETNX', key_shelves(), shelf, node) end
  end
end

local wanted = unused_numbers(node, slots, used)
local free = {}
for _, number in ipairs(redis.call('ZRANGE', key_freeNumbers(node), 0, -1)) do
  free[number] = true
  if not wanted[number] then tell(number, 'free too') end
end
for number in pairs(wanted) do
  if not free[number] then tell(number, 'lost') end
end
if repair and #found > 1 then renew_free(node, wanted) end
return found
