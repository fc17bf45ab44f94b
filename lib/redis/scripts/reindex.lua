-- Whether a record is in the indexes that it belongs in; with 'repair' it is put there.
-- ARGV: id; 'repair' or ''
-- Answers: ok index… (those that it was missing from)
local id, repair = ARGV[1], ARGV[2] == 'repair'
local record = load(key_volume(id))
if not record then return { 'ok' } end

local missing = { 'ok' }
local function expect(index, member, score)
  if redis.call('ZSCORE', index, member) then return end
  missing[#missing + 1] = index:sub(#KEYS[1] + 1)
  if repair then redis.call('ZADD', index, score, member) end
end

expect(key_volumes(), id, record.createTime)
expect(key_volumeIds(), id, 0)
expect(key_projectVolumes(record.projectId), id, record.createTime)
if record.name then expect(key_volumeNames(), record.name .. '\0' .. id, 0) end
if record.node then
  expect(key_nodeVolumes(record.node), id, record.createTime)
  if is_transitional(record) then expect(key_pending(record.node), id, now()) end
end
return missing
