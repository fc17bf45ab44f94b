-- A node that has no room for a volume hands it to another node that is up, or, where none is left, ends the creation.
-- ARGV: node; fence; id; JSON {topic, command (table), pinned, message, answer, fault}
-- Answers: ok 'forwarded' node | ok 'ended' | VolumeNotFound | NotLocal owner | Fenced
local node, fence, id = ARGV[1], ARGV[2], ARGV[3]
local refusal = cjson.decode(ARGV[4])

if not holds(node, fence) then return { 'Fenced' } end
drop(refusal.message)
local record = load(key_volume(id))
if not record then return { 'VolumeNotFound' } end
if record.node and record.node ~= node then return { 'NotLocal', record.node } end

local refused = { [node] = true }
local command = refusal.command
command.refused = command.refused or {}
command.refused[#command.refused + 1] = node
for _, other in ipairs(command.refused) do refused[other] = true end

if not refusal.pinned then
  for _, other in ipairs(redis.call('ZRANGE', key_nodes(), 0, -1)) do
    if not refused[other] and is_up(other) then
      give_number(id, record)
      place(id, record, '', now())
      send(refusal.topic .. '.' .. other, cjson.encode(command))
      return { 'ok', 'forwarded', other }
    end
  end
end

-- Somebody waits for the answer: nothing is left behind. Nobody does: the record says what happened.
if refusal.answer then
  remove_volume(id, record)
  answer(refusal.answer, id, nil, refusal.fault)
else
  give_number(id, record)
  redis.call('HSET', key_volume(id), 'status', 'error', 'fault', cjson.encode(refusal.fault))
  record.status = 'error'
  note_pending(id, record, now())
end
return { 'ok', 'ended' }
