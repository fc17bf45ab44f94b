-- A node takes a volume that is to be created: its place and its AoE number are recorded in one write.
-- ARGV: node; fence; id; JSON {backend, first, last, slots, message, kept}
--   kept  numbers are kept for volumes whose records were lost: this may be one of them, whose creation is asked for again
-- Answers: ok record | VolumeNotFound | NotLocal owner | NoMoreVolumes | Fenced | WrongStatus status
local node, fence, id = ARGV[1], ARGV[2], ARGV[3]
local claim = cjson.decode(ARGV[4])

if not holds(node, fence) then return { 'Fenced' } end
local record = load(key_volume(id))
if not record then
  drop(claim.message)
  return { 'VolumeNotFound' }
end
if record.node and record.node ~= node then
  drop(claim.message)
  return { 'NotLocal', record.node }
end
if record.status ~= 'creating' then
  drop(claim.message)
  return { 'WrongStatus', record.status }
end
if not record.shelfId then
  local shelf, slot
  if claim.kept then shelf, slot = take_kept(node, id) end
  if not shelf then shelf, slot = take_number(node, claim.first, claim.last, claim.slots) end
  if not shelf then return { 'NoMoreVolumes' } end
  record.shelfId, record.bladeId, record.backend = shelf, slot, claim.backend
  redis.call('HSET', key_volume(id), 'shelfId', shelf, 'bladeId', slot, 'backend', claim.backend,
    'availabilityZone', claim.availabilityZone)
  record.availabilityZone = claim.availabilityZone
end
if not record.node then place(id, record, node, now()) end
return ok(record)
