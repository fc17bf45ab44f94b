-- Compares a record with the indexes that it belongs in; with 'repair' it is put there.
-- ARGV: kind; id; 'repair' or ''
-- Answers: ok index… (those that it was missing from)
-- Complexity: O(indexes × log N).
-- uses: now, load, entries_of, record_key
local kind, id, repair = ARGV[1], ARGV[2], ARGV[3] == 'repair'
local record = load(record_key(kind, id))
if not record then return { 'ok' } end
local missing = { 'ok' }
for _, entry in ipairs(entries_of(kind, id, record, now())) do
  if not redis.call('ZSCORE', entry[1], entry[2]) then
    missing[#missing + 1] = entry[1]:sub(#KEYS[1] + 1)
    if repair and tonumber(entry[3]) then redis.call('ZADD', entry[1], entry[3], entry[2]) end
  end
end
return missing
