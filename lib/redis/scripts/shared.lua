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
  return redis.call('HGET', key.node(node), 'fence') == fence
end

local function is_up(node)
  return redis.call('EXISTS', key.lease(node)) == 1
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
    redis.call('ZADD', key.pending(record.node), time, id)
  else
    redis.call('ZREM', key.pending(record.node), id)
  end
end

local function index_volume(id, record)
  redis.call('ZADD', key.volumes(), record.createTime, id)
  redis.call('ZADD', key.volumeIds(), 0, id)
  redis.call('ZADD', key.projectVolumes(record.projectId), record.createTime, id)
  if record.name then redis.call('ZADD', key.volumeNames(), 0, record.name .. '\0' .. id) end
end

-- Gives a volume's place to a node, or to nobody ('').
local function place(id, record, node, time)
  if record.node then
    redis.call('ZREM', key.pending(record.node), id)
    redis.call('ZREM', key.nodeVolumes(record.node), id)
  end
  record.node = nil
  if node == '' then
    redis.call('HDEL', key.volume(id), 'node')
  else
    record.node = node
    redis.call('HSET', key.volume(id), 'node', node)
    redis.call('ZADD', key.nodeVolumes(node), record.createTime, id)
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
  if redis.call('HGET', key.shelves(), record.shelfId) == record.node then
    redis.call('ZADD', key.freeNumbers(record.node), score_of(number), number)
  end
  redis.call('HDEL', key.volume(id), 'shelfId', 'bladeId')
  record.shelfId, record.bladeId = nil, nil
end

-- Takes the lowest unclaimed shelf within first..last for a node; its numbers become free but for those held. False when none is left.
local function claim_shelf(node, first, last, slots)
  for shelf = first, last do
    if redis.call('HSETNX', key.shelves(), shelf, node) == 1 then
      for slot = 0, slots - 1 do
        local number = shelf .. '.' .. slot
        if redis.call('HEXISTS', key.heldNumbers(), number) == 0 then
          redis.call('ZADD', key.freeNumbers(node), score_of(number), number)
        end
      end
      return true
    end
  end
  return false
end

-- The lowest free number of a node, or nil: the caller records it in the same script.
local function take_number(node, first, last, slots)
  repeat
    local lowest = redis.call('ZPOPMIN', key.freeNumbers(node))[1]
    if lowest then return lowest:match('^(%d+)%.(%d+)$') end
  until not claim_shelf(node, first, last, slots)
  return nil
end

local function remove_volume(id, record)
  give_number(id, record)
  if record.node then
    redis.call('ZREM', key.pending(record.node), id)
    redis.call('ZREM', key.nodeVolumes(record.node), id)
  end
  redis.call('ZREM', key.volumes(), id)
  redis.call('ZREM', key.volumeIds(), id)
  redis.call('ZREM', key.projectVolumes(record.projectId), id)
  if record.name then redis.call('ZREM', key.volumeNames(), record.name .. '\0' .. id) end
  redis.call('DEL', key.volume(id))
end

local function send(topic, message)
  redis.call('XADD', key.topic(topic), '*', 'm', message)
end

-- A command that was carried out leaves its topic.
local function drop(message)
  if not message then return end
  redis.call('XACK', key.topic(message.topic), 'nodes', message.entry)
  redis.call('XDEL', key.topic(message.topic), message.entry)
end

-- Tells a waiting caller how its call ended.
local function answer(to, id, record, fault)
  if not to then return end
  redis.call('PUBLISH', key.answers(to.caller),
    cjson.encode({ request = to.request, id = id, record = record, fault = fault }))
end

-- 'ok' and the record as field, value, …
local function ok(record)
  local flat = { 'ok' }
  for field, value in pairs(record) do
    flat[#flat + 1] = field
    flat[#flat + 1] = tostring(value)
  end
  return flat
end
