-- Checks that the record of an index entry accounts for it; with 'repair' a stray entry is removed.
-- ARGV: kind; id; index (name without prefix); member; 'repair' or ''
-- Answers: ok | Stray
-- Complexity: O(indexes + log N).
-- uses: now, load, entries_of, record_key
local kind, id, index, member, repair = ARGV[1], ARGV[2], KEYS[1] .. ARGV[3], ARGV[4], ARGV[5] == 'repair'
if not redis.call('ZSCORE', index, member) then return { 'ok' } end
local record = load(record_key(kind, id))
for _, entry in ipairs(record and entries_of(kind, id, record, now()) or {}) do
  if entry[1] == index and entry[2] == member then return { 'ok' } end
end
if repair then redis.call('ZREM', index, member) end
return { 'Stray' }
