-- Finds the lowest AoE shelf from `first` to `last` that no node owns.
-- ARGV: first; last
-- Answers: ok shelf | NoShelf
-- Complexity: O(log² N): owned shelves are counted.
-- uses: key_shelves
local first, last = tonumber(ARGV[1]), tonumber(ARGV[2])

local function are_all_owned(to)
  return redis.call('ZCOUNT', key_shelves(), first, to) == to - first + 1
end

if first > last or are_all_owned(last) then return { 'NoShelf' } end
local low, high = first, last
while low < high do
  local middle = math.floor((low + high) / 2)
  if are_all_owned(middle) then low = middle + 1 else high = middle end
end
return { 'ok', string.format('%d', low) }
