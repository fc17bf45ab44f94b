-- Checks that the record of an index entry accounts for it; with 'repair' a stray entry is removed.
-- ARGV: kind; id; index (name without prefix); member; 'repair' or ''
-- Answers: ok | Stray
-- Complexity: O(indexes + log N).
-- uses: now, try_load, entries_of, record_key, key_freeSpace
local kind, id, index, member, repair = ARGV[1], ARGV[2], KEYS[1] .. ARGV[3], ARGV[4], ARGV[5] == 'repair'
if not redis.call('ZSCORE', index, member) then return { 'ok' } end
local is_record, record = try_load(record_key(kind, id))
if not is_record then return { 'ok' } end -- which index a damaged record belongs in is not known
if index == key_freeSpace() and record and record.accepting == 'true' then return { 'ok' } end
for _, entry in ipairs(record and entries_of(kind, id, record, now()) or {}) do
  if entry[1] == index and entry[2] == member then return { 'ok' } end
end
if repair then redis.call('ZREM', index, member) end
return { 'Stray' }
