-- Storage of this node whose record is lost gets one again, with its old AoE number where nobody else has it.
-- ARGV: node; fence; id; JSON {fields, shelf?, slot?, first, last, slots}
-- Answers: ok record | VolumeExists owner status | NoMoreVolumes | Fenced
local node, fence, id = ARGV[1], ARGV[2], ARGV[3]
local found = cjson.decode(ARGV[4])
if not holds(node, fence) then return { 'Fenced' } end
local existing = redis.call('HMGET', key_volume(id), 'node', 'status')
if existing[2] then return { 'VolumeExists', existing[1] or '', existing[2] } end

local number = found.shelf and found.shelf .. '.' .. found.slot
local shelf, slot = take_kept(node, id, number)
if not shelf and number then
  claim_shelf(node, found.shelf, found.shelf, found.slots)
  if redis.call('ZREM', key_freeNumbers(node), number) == 1 then
    shelf, slot = tostring(found.shelf), tostring(found.slot)
  end
end
if not shelf then shelf, slot = take_number(node, found.first, found.last, found.slots) end
if not shelf then return { 'NoMoreVolumes' } end

local time = now()
local record = found.fields
record.status, record.attachStatus = 'available', 'detached'
record.createTime = string.format('%d', time)
record.shelfId, record.bladeId = shelf, slot
local flat = {}
for field, value in pairs(record) do
  flat[#flat + 1] = field
  flat[#flat + 1] = value
end
redis.call('HSET', key_volume(id), unpack(flat))
index_volume(id, record)
place(id, record, node, time)
return ok(record)
