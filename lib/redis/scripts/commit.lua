-- Applies a change set: edits of records with the commands and replies that go with them. Either every precondition holds and all is
-- written, or nothing is.
-- ARGV: JSON {owner?, conditions?, edits, commands?, replies?, event?, by?, returns?}; 'frees' or ''
--   owner       {node, token}: only the daemon that holds this node's name
--   conditions  {is = 'up' | 'down' | 'lost' | 'notLost' | 'gone', node};
--               {is = 'served', node, backend}: unless the node is lost, or is gone and shares the storage with others;
--               {is = 'freeSpace', backend, bytes, grows?}: the backend accepts volumes, or growth of its own, and has that space;
--               {is = 'quota', project, volumes?, bytes?, snapshots?}: the project may have so much more;
--               {is = 'empty', key}: the sorted set has no member;
--               {is = 'fewer', key, than}: the sorted set has fewer members;
--               {is = 'absent', kind, id}: there is no such record;
--               {is = 'rested', node, quarantineMs}: no address of the node was released in the last `quarantineMs`
--   edits       {kind, id, insert?, remove?, optional?, expect?, set?, unset?, stamp?, join?, rest?}
--     insert    the record must not exist
--     optional  the record need not exist: then there is nothing to change
--     expect    field -> value that it must have, '' = absent
--     stamp     fields that become the time
--     join      'requester/request', added to the requesters of the record's task; dropped beyond 500 bytes
--     rest      an address that is in quarantine from now on, of the record's lender, or its node
--   commands    {topic, message}: appended
--   replies     {edit, result?, fault?}: the requesters of that record, before the edit, learn the record after it, or the result (JSON texts)
--   event       of the first record, where no task of it begins or ends
--   by          who asked for it: in that, and in the events of tasks that begin
--   returns     whether to answer with the records
--   'frees'     it is made also when Redis has no memory left: Redis has more when it and what it begins have ended
-- Answers: ok time record… (JSON; '' = removed) | Fenced | condition number | absent edit | exists edit record | changed edit record
-- Complexity: O(conditions × log N + edits × indexes × log N).
-- without memory: ARGV[2] == 'frees'
-- uses: now, load, reindex, add_up, update_free_space, free_space_of, fits_quota, record_key, holds, is_up, is_lost, is_gone, is_shared, refusal_of, key_topic, key_replies, key_quarantine, call_if_typed, key_tasks, key_events
local change = cjson.decode(ARGV[1])

if change.owner and not holds(change.owner.node, change.owner.token) then return { 'Fenced' } end

local function is_met(condition)
  if condition.is == 'up' then return is_up(condition.node) end
  if condition.is == 'down' then return not is_up(condition.node) end
  if condition.is == 'lost' then return is_lost(condition.node) end
  if condition.is == 'notLost' then return not is_lost(condition.node) end
  if condition.is == 'gone' then return is_gone(condition.node) end
  if condition.is == 'served' then
    if is_up(condition.node) then return true end
    return not is_lost(condition.node) and not (is_gone(condition.node) and is_shared(condition.backend))
  end
  if condition.is == 'quota' then return fits_quota(condition) end
  if condition.is == 'empty' then return redis.call('ZCARD', KEYS[1] .. condition.key) == 0 end
  if condition.is == 'fewer' then return redis.call('ZCARD', KEYS[1] .. condition.key) < condition.than end
  if condition.is == 'absent' then return redis.call('EXISTS', record_key(condition.kind, condition.id)) == 0 end
  if condition.is == 'rested' then
    local newest = redis.call('ZRANGE', key_quarantine(condition.node), -1, -1, 'WITHSCORES')[2]
    return not newest or newest + condition.quarantineMs <= now()
  end
  local free = free_space_of(condition.backend, condition.grows)
  return free and free >= condition.bytes
end

for number, condition in ipairs(change.conditions or {}) do
  if not is_met(condition) then return { 'condition', tostring(number) } end
end

local before = {}
for number, edit in ipairs(change.edits) do
  local record = load(record_key(edit.kind, edit.id))
  before[number] = record or false
  if edit.insert and record then return { 'exists', tostring(number), cjson.encode(record) } end
  if not edit.insert and not record and not edit.optional then return { 'absent', tostring(number) } end
  for field, value in pairs(record and edit.expect or {}) do
    if (record[field] or '') ~= value then return { 'changed', tostring(number), cjson.encode(record) } end
  end
end

if change.replies then
  local denied = refusal_of('PUBLISH', key_replies(''), '')
  if denied then return denied end
end

local time = now()
local after = {}
for number, edit in ipairs(change.edits) do
  local new = {}
  for field, value in pairs(before[number] or {}) do new[field] = value end
  for field, value in pairs(edit.set or {}) do new[field] = value end
  for _, field in ipairs(edit.stamp or {}) do new[field] = string.format('%d', time) end
  for _, field in ipairs(edit.unset or {}) do new[field] = nil end
  if edit.join then
    local requesters = new.requesters and new.requesters .. ' ' or ''
    if #requesters < 500 then new.requesters = requesters .. edit.join end
  end
  local is_nothing = edit.optional and not before[number]
  after[number] = not edit.remove and not is_nothing and new
end

-- When the tasks that end have begun: the index forgets it with them.
local begun = {}
for number, edit in ipairs(change.edits) do
  local old, new = before[number] or nil, after[number] or nil
  if edit.kind == 'volume' and old and old.task and not (new and new.task) then
    begun[number] = call_if_typed('ZSCORE', key_tasks(old.node or ''), edit.id)
  end
end

-- The counters first: where their record is damaged, or HSET is not permitted, nothing has been written yet.
for number, edit in ipairs(change.edits) do
  add_up(edit.kind, before[number] or nil, after[number] or nil)
end

local function write(key, old, new)
  local flat, gone = {}, {}
  for field, value in pairs(new) do
    if old[field] ~= value then
      flat[#flat + 1] = field
      flat[#flat + 1] = value
    end
  end
  for field in pairs(old) do
    if new[field] == nil then gone[#gone + 1] = field end
  end
  if #flat > 0 then redis.call('HSET', key, unpack(flat)) end
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

for number, edit in ipairs(change.edits) do
  local old, new, key = before[number] or nil, after[number] or nil, record_key(edit.kind, edit.id)
  if new then write(key, old or {}, new) else redis.call('DEL', key) end
  if edit.rest and edit.rest ~= '' and old and old.node then
    redis.pcall('ZADD', key_quarantine(old.lender or old.node), time, edit.rest)
  end
  reindex(edit.kind, edit.id, old, new, time)
  if edit.kind == 'backend' then update_free_space(edit.id) end
end

for _, command in ipairs(change.commands or {}) do
  redis.pcall('XADD', key_topic(command.topic), '*', 'm', command.message) -- where the topic is damaged, a report finds the task
end

local texts = {}
local function text_of(number)
  texts[number] = texts[number] or (after[number] and cjson.encode(after[number]) or '')
  return texts[number]
end

for _, reply in ipairs(change.replies or {}) do
  local old = before[reply.edit]
  if old and old.requesters then
    local parts = reply.fault and ',"fault":' .. reply.fault or ''
    local record = reply.result and '' or text_of(reply.edit)
    if reply.result then parts = parts .. ',"result":' .. reply.result end
    if record ~= '' then parts = parts .. ',"record":' .. record end
    for requester, request in old.requesters:gmatch('(%S+)/(%S+)') do
      redis.call('PUBLISH', key_replies(requester), '{"request":"' .. request .. '"' .. parts .. '}')
    end
  end
end

-- An event decides nothing: where the stream is damaged, nothing else is lost.
local function append_event(event, record, more)
  for _, field in ipairs({ 'name', 'node', 'projectId', 'userId', 'attachment', 'snapshot', 'image', 'backup', 'restoreFrom' }) do event[field] = record[field] end
  for field, value in pairs(more) do event[field] = value end
  redis.pcall('XADD', key_events(), 'MAXLEN', '~', '10000', '*', 'm', cjson.encode(event))
end

local function note_task(task, phase, id, record, more, begun_at)
  local is_task, known = pcall(cjson.decode, task)
  if not is_task then return end
  local event = { event = 'volume.' .. known.kind .. '.' .. phase, volume = id, key = known.key }
  local since = tonumber(known.copied or begun_at) -- a task that another node began says when
  if since then event.ms = string.format('%d', time - since) end
  append_event(event, record, more)
end

local faults = {}
for _, reply in ipairs(change.replies or {}) do faults[reply.edit] = reply.fault end
for number, edit in ipairs(change.edits) do
  local old, new = before[number] or {}, after[number] or {}
  if edit.kind == 'volume' and old.task and not new.task then
    local fault = faults[number] or (new.fault ~= old.fault and new.fault) or nil
    note_task(old.task, fault and 'error' or 'end', edit.id, old, { fault = fault }, begun[number])
  elseif edit.kind == 'volume' and new.task and not old.task then
    note_task(new.task, 'start', edit.id, new, { by = change.by })
  end
end

if change.event then
  local first = change.edits[1]
  local record = after[1] or before[1] or {}
  local event = { event = change.event }
  if first.kind == 'attachment' then
    event.volume, record.attachment = record.volume, first.id
  else
    event[first.kind == 'volume' and 'volume' or 'object'] = first.id
  end
  append_event(event, record, { by = change.by, fault = faults[1] })
end

local answer = { 'ok', string.format('%d', time) }
if change.returns then
  for number in ipairs(change.edits) do answer[#answer + 1] = text_of(number) end
end
return answer
