-- What a node sees in use by others, on the wire or by a foreign vblade, is kept back; so is what its own volumes have on storage or
-- are exported as, where no record says so. What it no longer sees is free again.
-- At start ("whole") the free numbers of its shelves are made anew from the records, so that another slots_per_shelf takes effect.
-- ARGV: node; fence; slots; JSON {others = {"shelf.slot": reason}, own?}; 'whole' or ''
--   own  {addresses, numbers = [{number, id, running}]}; absent where the node has not looked: what is kept for own volumes stays
--        so. addresses are the node's own Ethernet addresses
-- Answers: ok (how many are kept for own volumes) numbers newly held for others… | Fenced
local node, fence, slots = ARGV[1], ARGV[2], tonumber(ARGV[3])
local request = cjson.decode(ARGV[4])
local seen, own = request.others, request.own
if not holds(node, fence) then return { 'Fenced' } end

-- While a shelf was nobody's, others saw this node's exports on the wire and kept their numbers back: that is no other's use.
local replaceable = {}
for _, address in ipairs(own and own.addresses or {}) do replaceable['wire ' .. address] = true end
for _, volume in ipairs(own and own.numbers or {}) do
  local number, record = volume.number, redis.call('HMGET', key_volume(volume.id), 'shelfId', 'bladeId')
  local is_recorded = record[1] and (not volume.running or record[1] .. '.' .. record[2] == number)
  if not is_recorded and not seen[number] then
    local shelf = tonumber(number:match('^%d+'))
    if redis.call('HEXISTS', key_shelves(), shelf) == 0 then claim_shelf(node, shelf, shelf, slots) end
    local reason = redis.call('HGET', key_heldNumbers(), number)
    local is_others = reason and not is_kept(reason) and not replaceable[reason]
    seen[number] = is_others and reason or kept_for(volume.id)
  end
end

local shelves = {}
local claimed = redis.call('HGETALL', key_shelves())
for i = 1, #claimed, 2 do shelves[claimed[i]] = claimed[i + 1] end

local held, answer = {}, { 'ok', '0' }
local before = redis.call('HGETALL', key_heldNumbers())
for i = 1, #before, 2 do held[before[i]] = before[i + 1] end

for number, reason in pairs(seen) do
  local owner = shelves[number:match('^%d+')]
  if not owner or owner == node then
    local free = redis.call('ZREM', key_freeNumbers(node), number) == 1
    if not held[number] and (free or not owner) and not is_kept(reason) then answer[#answer + 1] = number end
    if held[number] or free or not owner then
      redis.call('HSET', key_heldNumbers(), number, reason)
      held[number] = reason
    end
  end
end
local kept = 0
for number, reason in pairs(held) do
  local owner = shelves[number:match('^%d+')]
  if not seen[number] and (not owner or owner == node) and (own or not is_kept(reason)) then
    redis.call('HDEL', key_heldNumbers(), number)
    if owner and tonumber(number:match('%d+$')) < slots then
      redis.call('ZADD', key_freeNumbers(node), score_of(number), number)
    end
  elseif is_kept(reason) and owner == node then
    kept = kept + 1
  end
end
answer[2] = tostring(kept)

if ARGV[5] == 'whole' then renew_free(node, unused_numbers(node, slots, used_numbers(node))) end
return answer
