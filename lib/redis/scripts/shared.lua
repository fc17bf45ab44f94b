-- What every script begins with, after the key names. KEYS[1] is the prefix of all keys.
-- Answers are arrays: a word ('ok' or a code of lib/errors.ts), then what that word calls for.

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The record as a table, or nil.
local function load(record_key)
  local flat = redis.call('HGETALL', record_key)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

-- Whether this daemon still holds its node's name.
local function holds(node, fence)
  return redis.call('HGET', key_node(node), 'fence') == fence
end

local function is_up(node)
  return redis.call('EXISTS', key_lease(node)) == 1
end

-- Work that its node must still finish: found there at start and on every report. What no node has taken yet stands in
-- the topic of any node.
local function is_transitional(record)
  return record.status == 'creating' or record.status == 'deleting'
    or record.attachStatus == 'attaching' or record.attachStatus == 'detaching'
end

local function note_pending(id, record, time)
  if not record.node then return end
  if is_transitional(record) then
    redis.call('ZADD', key_pending(record.node), time, id)
  else
    redis.call('ZREM', key_pending(record.node), id)
  end
end

local function index_volume(id, record)
  redis.call('ZADD', key_volumes(), record.createTime, id)
  redis.call('ZADD', key_volumeIds(), 0, id)
  redis.call('ZADD', key_projectVolumes(record.projectId), record.createTime, id)
  if record.name then redis.call('ZADD', key_volumeNames(), 0, record.name .. '\0' .. id) end
end

-- Gives a volume's place to a node, or to nobody ('').
local function place(id, record, node, time)
  if record.node then
    redis.call('ZREM', key_pending(record.node), id)
    redis.call('ZREM', key_nodeVolumes(record.node), id)
  end
  record.node = nil
  if node == '' then
    redis.call('HDEL', key_volume(id), 'node')
  else
    record.node = node
    redis.call('HSET', key_volume(id), 'node', node)
    redis.call('ZADD', key_nodeVolumes(node), record.createTime, id)
  end
  note_pending(id, record, time)
end

-- AoE numbers are text "shelf.slot"; their score keeps the lowest first.
local function score_of(number)
  local shelf, slot = number:match('^(%d+)%.(%d+)$')
  return shelf * 256 + slot
end

local function give_number(id, record)
  if not record.shelfId then return end
  local number = record.shelfId .. '.' .. record.bladeId
  if redis.call('HGET', key_shelves(), record.shelfId) == record.node then
    redis.call('ZADD', key_freeNumbers(record.node), score_of(number), number)
  end
  redis.call('HDEL', key_volume(id), 'shelfId', 'bladeId')
  record.shelfId, record.bladeId = nil, nil
end

-- Takes the lowest unclaimed shelf within first..last for a node; its numbers become free but for those held. False when none is left.
-- A shelf that others are seen to use is the last choice: after a loss of Redis it may be that of a node that is not back yet.
local function claim_shelf(node, first, last, slots)
  local seen = {}
  for _, number in ipairs(redis.call('HKEYS', key_heldNumbers())) do seen[number:match('^%d+')] = true end
  for _, choice in ipairs({ false, true }) do
    for shelf = first, last do
      local is_seen = seen[tostring(shelf)] or false
      if is_seen == choice and redis.call('HSETNX', key_shelves(), shelf, node) == 1 then
        for slot = 0, slots - 1 do
          local number = shelf .. '.' .. slot
          if redis.call('HEXISTS', key_heldNumbers(), number) == 0 then
            redis.call('ZADD', key_freeNumbers(node), score_of(number), number)
          end
        end
        return true
      end
    end
  end
  return false
end

-- Why a number is kept for a volume of its shelf's node, whose record was lost.
local function kept_for(id)
  return 'volume ' .. id
end

local function is_kept(reason)
  return reason:match('^volume ') ~= nil
end

-- Takes the number that is kept for a volume, most likely `likely`, or nil: the caller records it in the same script.
local function take_kept(node, id, likely)
  local held = { likely or '', likely and redis.call('HGET', key_heldNumbers(), likely) }
  if held[2] ~= kept_for(id) then held = redis.call('HGETALL', key_heldNumbers()) end
  for i = 1, #held, 2 do
    local shelf, slot = held[i]:match('^(%d+)%.(%d+)$')
    if held[i + 1] == kept_for(id) and redis.call('HGET', key_shelves(), shelf) == node then
      redis.call('HDEL', key_heldNumbers(), held[i])
      return shelf, slot
    end
  end
  return nil
end

-- How many volumes of a node have each number.
local function used_numbers(node)
  local used = {}
  for _, id in ipairs(redis.call('ZRANGE', key_nodeVolumes(node), 0, -1)) do
    local number = redis.call('HMGET', key_volume(id), 'shelfId', 'bladeId')
    if number[1] then
      local name = number[1] .. '.' .. number[2]
      used[name] = (used[name] or 0) + 1
    end
  end
  return used
end

-- The numbers of a node's shelves that neither a volume has nor anybody else was seen with.
local function unused_numbers(node, slots, used)
  local unused = {}
  local shelves = redis.call('HGETALL', key_shelves())
  for i = 1, #shelves, 2 do
    if shelves[i + 1] == node then
      for slot = 0, slots - 1 do
        local number = shelves[i] .. '.' .. slot
        if not used[number] and redis.call('HEXISTS', key_heldNumbers(), number) == 0 then unused[number] = true end
      end
    end
  end
  return unused
end

local function renew_free(node, unused)
  redis.call('DEL', key_freeNumbers(node))
  for number in pairs(unused) do redis.call('ZADD', key_freeNumbers(node), score_of(number), number) end
end

-- The lowest free number of a node, or nil: the caller records it in the same script.
local function take_number(node, first, last, slots)
  repeat
    local lowest = redis.call('ZPOPMIN', key_freeNumbers(node))[1]
    if lowest then return lowest:match('^(%d+)%.(%d+)$') end
  until not claim_shelf(node, first, last, slots)
  return nil
end

local function unindex_volume(id, record)
  if record.node then
    redis.call('ZREM', key_pending(record.node), id)
    redis.call('ZREM', key_nodeVolumes(record.node), id)
  end
  redis.call('ZREM', key_volumes(), id)
  redis.call('ZREM', key_volumeIds(), id)
  redis.call('ZREM', key_projectVolumes(record.projectId), id)
  if record.name then redis.call('ZREM', key_volumeNames(), record.name .. '\0' .. id) end
end

local function remove_volume(id, record)
  give_number(id, record)
  unindex_volume(id, record)
  redis.call('DEL', key_volume(id))
end

-- A volume of a lost node is deleted: nobody sees it any more. Its record, with its number, waits for the node, which has
-- the storage to remove.
local function forget_volume(id, record)
  unindex_volume(id, record)
  redis.call('ZADD', key_forgotten(record.node), record.createTime, id)
  redis.call('RENAME', key_volume(id), key_forgottenVolume(id))
end

local function is_lost(node)
  return redis.call('HEXISTS', key_node(node), 'lost') == 1
end

local function send(topic, message)
  redis.call('XADD', key_topic(topic), '*', 'm', message)
end

-- A command that was carried out leaves its topic.
local function drop(message)
  if not message then return end
  redis.call('XACK', key_topic(message.topic), 'nodes', message.entry)
  redis.call('XDEL', key_topic(message.topic), message.entry)
end

-- Tells a waiting caller how its call ended.
local function answer(to, id, record, fault)
  if not to then return end
  redis.call('PUBLISH', key_answers(to.caller),
    cjson.encode({ request = to.request, id = id, record = record, fault = fault }))
end

-- 'ok' and the record, as one text: an answer of thirty is made, sent and read in three times the time.
local function ok(record)
  return { 'ok', cjson.encode(record) }
end
