-- Functions for records, for scripts that name them after "uses:".

-- Returns the server's time in milliseconds since the epoch.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns a record as a table, or nil where it does not exist.
local function load(key)
  local flat = redis.call('HGETALL', key)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

-- Returns the bytes of a volume of `size` GiB; 0 stands for 100 MiB.
local function bytes_of(size)
  size = tonumber(size)
  return size == 0 and 104857600 or size * 1073741824
end

-- Returns a number as text without an exponent: Lua writes numbers with 14 digits.
local function whole(number)
  return string.format('%.0f', number)
end

-- Keeps a backend's free space in the set that requesters place volumes by. O(log N).
-- uses: whole, key_freeSpace
local function update_free_space(backend)
  local key = KEYS[1] .. 'backend:' .. backend
  local fields = redis.call('HMGET', key, 'capacityBytes', 'allocatedBytes', 'accepting')
  if fields[3] ~= 'true' then
    redis.call('ZREM', key_freeSpace(), backend)
    return
  end
  redis.call('ZADD', key_freeSpace(), whole((fields[1] or 0) - (fields[2] or 0)), backend)
end

-- Counts a record's size where its kind has a sum.
-- uses: sum_of, bytes_of, whole, update_free_space
local function add_up(kind, before, after)
  local from, field, to
  if before then from, field = sum_of(kind, before) end
  if after then to, field = sum_of(kind, after) end
  local old, new = from and bytes_of(before.size) or 0, to and bytes_of(after.size) or 0
  if from == to and old == new then return end
  local changed = {}
  if from then
    redis.call('HINCRBY', from, field, whole(-old))
    changed[from] = true
  end
  if to then
    redis.call('HINCRBY', to, field, whole(new))
    changed[to] = true
  end
  for key in pairs(changed) do update_free_space(key:sub(#KEYS[1] + #'backend:' + 1)) end
end
