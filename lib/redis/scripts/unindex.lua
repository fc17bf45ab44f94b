-- Whether an index has an entry that no record accounts for; with 'repair' it is removed.
-- ARGV: index (name without prefix); member; 'repair' or ''
-- Answers: ok | ok 'stray'
local index, member, repair = ARGV[1], ARGV[2], ARGV[3] == 'repair'
local key = KEYS[1] .. index
if not redis.call('ZSCORE', key, member) then return { 'ok' } end

local id = index == 'volume-names' and member:match('%z(.*)$') or member
local record = load(key_volume(id))
local belongs = record and (
  key == key_volumes() or key == key_volumeIds() or key == key_projectVolumes(record.projectId)
  or (key == key_volumeNames() and record.name and record.name .. '\0' .. id == member)
  or (record.node and key == key_nodeVolumes(record.node))
  or (record.node and key == key_pending(record.node) and is_transitional(record)))
if belongs then return { 'ok' } end
if repair then redis.call('ZREM', key, member) end
return { 'ok', 'stray' }
