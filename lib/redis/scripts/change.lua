-- The one script that changes a volume's record: guard, fields, indexes, command, message and answer are one write.
-- ARGV: id; JSON {node?, fence?, from?, set?, unset?, remove?, giveNumber?, keepsError?, cancelUnplaced?, command?, message?, answer?, fault?,
--     whenLost?}
--   node, fence  only the daemon that holds this node's name, and only for a volume of this node
--   from         {field = [allowed values]}; a missing field counts as ''
--   command      {topic = the owner's topic is topic .. '.' .. node, message}: appended to the owner's topic
--   message      {topic, entry}: the command that this change carries out; dropped whatever the guard says
--   answer       {caller, request}: who waits
--   whenLost     {set?, unset?, forget?, answer?}: what holds in place of set, unset and command while the volume's node is lost
--   keepsError   a volume in status error keeps it, and its fault
--   cancelUnplaced  a volume that no node has taken yet is removed at once
-- Answers: ok record | VolumeNotFound | NotLocal owner | Fenced | WrongStatus status attachStatus instanceId
local id = ARGV[1]
local change = cjson.decode(ARGV[2])
local record_key = key_volume(id)

if change.node and not holds(change.node, change.fence) then return { 'Fenced' } end
drop(change.message)

local record = load(record_key)
if not record then
  answer(change.answer, id, nil, change.fault)
  return { 'VolumeNotFound' }
end
if change.node and record.node ~= change.node then return { 'NotLocal', record.node or '' } end

if change.cancelUnplaced and not record.node and record.status == 'creating' then
  remove_volume(id, record)
  return { 'ok' }
end

if change.whenLost and record.node and is_lost(record.node) then
  local lost = change.whenLost
  change.set, change.unset, change.forget, change.answer, change.command = lost.set, lost.unset, lost.forget, lost.answer, nil
end

if change.keepsError and record.status == 'error' then
  change.set.status, change.set.fault = nil, nil
  local unset = {}
  for _, field in ipairs(change.unset or {}) do
    if field ~= 'fault' then unset[#unset + 1] = field end
  end
  change.unset = unset
end

for field, allowed in pairs(change.from or {}) do
  local value, matches = record[field] or '', false
  for _, wanted in ipairs(allowed) do
    if wanted == value then matches = true end
  end
  if not matches then
    answer(change.answer, id, record, change.fault)
    return { 'WrongStatus', record.status, record.attachStatus, record.instanceId or '' }
  end
end

if change.remove then
  remove_volume(id, record)
  answer(change.answer, id, nil, change.fault)
  return { 'ok' }
end

if change.forget then
  forget_volume(id, record)
  answer(change.answer, id, nil, change.fault)
  return { 'ok' }
end

local flat = {}
for field, value in pairs(change.set or {}) do
  if value == '@now' then value = string.format('%d', now()) end
  record[field] = value
  flat[#flat + 1] = field
  flat[#flat + 1] = value
end
if #flat > 0 then redis.call('HSET', record_key, unpack(flat)) end
for _, field in ipairs(change.unset or {}) do record[field] = nil end
if change.unset and #change.unset > 0 then redis.call('HDEL', record_key, unpack(change.unset)) end
if change.giveNumber then give_number(id, record) end
note_pending(id, record, now())
if change.command then send(change.command.topic .. '.' .. record.node, change.command.message) end
answer(change.answer, id, record, change.fault)
return ok(record)
