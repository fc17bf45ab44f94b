-- What a node sees in use by others, on the wire or by a foreign vblade, is kept back; what it no longer sees is free again.
-- At start ("whole") the free numbers of its shelves are made anew from the records, so that another slots_per_shelf takes effect.
-- ARGV: node; fence; slots; JSON {"shelf.slot": reason}; 'whole' or ''
-- Answers: ok numbers newly held… | Fenced
local node, fence, slots = ARGV[1], ARGV[2], tonumber(ARGV[3])
local seen = cjson.decode(ARGV[4])
if not holds(node, fence) then return { 'Fenced' } end

local shelves = {}
local claimed = redis.call('HGETALL', key_shelves())
for i = 1, #claimed, 2 do shelves[claimed[i]] = claimed[i + 1] end

local held, fresh = {}, { 'ok' }
local before = redis.call('HGETALL', key_heldNumbers())
for i = 1, #before, 2 do held[before[i]] = true end

for number, reason in pairs(seen) do
  local owner = shelves[number:match('^%d+')]
  if not owner or owner == node then
    local free = redis.call('ZREM', key_freeNumbers(node), number) == 1
    if not held[number] and (free or not owner) then
      redis.call('HSET', key_heldNumbers(), number, reason)
      held[number] = true
      fresh[#fresh + 1] = number
    end
  end
end
for number in pairs(held) do
  local owner = shelves[number:match('^%d+')]
  if not seen[number] and (not owner or owner == node) then
    redis.call('HDEL', key_heldNumbers(), number)
    held[number] = nil
    if owner and tonumber(number:match('%d+$')) < slots then
      redis.call('ZADD', key_freeNumbers(node), score_of(number), number)
    end
  end
end

if ARGV[5] == 'whole' then renew_free(node, unused_numbers(node, slots, used_numbers(node))) end
return fresh
