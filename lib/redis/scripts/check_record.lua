-- Compares a record with the indexes that it belongs in; with 'repair' it is put there.
-- ARGV: kind; id; 'repair' or ''
-- Answers: ok index… (those that it was missing from, or had another score in) | WrongType (the record is no hash)
-- Complexity: O(indexes × log N).
-- uses: now, try_load, entries_of, record_key
local kind, id, repair = ARGV[1], ARGV[2], ARGV[3] == 'repair'
local is_record, record = try_load(record_key(kind, id))
if not is_record then return { 'WrongType' } end
if not record then return { 'ok' } end
local missing = { 'ok' }
local time = now()
for _, entry in ipairs(entries_of(kind, id, record, time)) do
  local index, member, score, is_fixed = unpack(entry)
  local found = redis.pcall('ZSCORE', index, member)
  local is_right = type(found) == 'string'
  if is_right and is_fixed then
    is_right = tonumber(found) == tonumber(score)
  elseif is_right then
    is_right = tonumber(found) <= time + 60000 -- the time of its making, by a clock that may have been set
  end
  if not is_right then
    missing[#missing + 1] = index:sub(#KEYS[1] + 1)
    if repair and tonumber(score) then redis.pcall('ZADD', index, score, member) end
  end
end
return missing
