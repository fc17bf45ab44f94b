-- Functions for records, for scripts that name them after "uses:".

-- Returns the server's time in milliseconds since the epoch.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Returns the fields of a flat answer as a table, or nil where there are none.
local function record_in(flat)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

-- Returns a record as a table, or nil where it does not exist.
-- uses: record_in
local function load(key)
  return record_in(redis.call('HGETALL', key))
end

-- Returns whether a key can be read as a record, and the record.
-- uses: record_in, call_if_typed
local function try_load(key)
  local flat = call_if_typed('HGETALL', key)
  return flat ~= nil, flat and record_in(flat)
end

-- Returns a record that its node alone writes, empty where it does not exist; one of a wrong type is removed, to be written again.
-- uses: try_load
local function load_own(key)
  local is_record, record = try_load(key)
  if not is_record then redis.call('DEL', key) end
  return record or {}
end

-- Returns the bytes of a volume of `size` GiB; 0 stands for 100 MiB. A size that is no number counts nothing.
local function bytes_of(size)
  size = tonumber(size)
  if not size then return 0 end
  return size == 0 and 104857600 or size * 1073741824
end

-- Returns a number as text without an exponent: Lua writes numbers with 14 digits.
local function whole(number)
  return string.format('%.0f', number)
end

-- Returns the free space of a backend that accepts volumes; nil where it accepts none, or a number is damaged. `grows`: for one that it
-- has already, which a closed backend accepts as well.
-- uses: key_backend
local function free_space_of(backend, grows)
  local fields = redis.call('HMGET', key_backend(backend), 'capacityBytes', 'allocatedBytes', 'accepting', 'closed')
  local capacity, allocated = tonumber(fields[1] or 0), tonumber(fields[2] or 0)
  local accepts = fields[3] == 'true' and (grows or not fields[4])
  return accepts and capacity and allocated and capacity - allocated or nil
end

-- Keeps a backend's free space in the set that requesters place volumes by. O(log N).
-- pcall, here and for indexes: a key of a wrong type, which an audit reports, must not leave half a change.
-- uses: whole, free_space_of, key_freeSpace
local function update_free_space(backend)
  local free = free_space_of(backend)
  if free then
    redis.pcall('ZADD', key_freeSpace(), whole(free), backend)
  else
    redis.pcall('ZREM', key_freeSpace(), backend)
  end
end

-- Adds to a counter; one that is no number is left to the audit. One that is no allocation goes when it is 0, and a damaged key keeps
-- nobody from deleting.
-- uses: whole, call_if_typed
local function add_to(key, field, is_allocation, bytes)
  if is_allocation then
    local sum = tonumber(redis.call('HGET', key, field) or 0)
    if sum then redis.call('HSET', key, field, whole(sum + bytes)) end
    return
  end
  local text = call_if_typed('HGET', key, field)
  local sum = text ~= nil and tonumber(text or 0)
  if not sum then return end
  if sum + bytes == 0 then redis.call('HDEL', key, field) else redis.call('HSET', key, field, whole(sum + bytes)) end
end

-- Counts a record's size, or what it is being extended to, where its kind has sums. O(sums × log N).
-- uses: sums_of, bytes_of, add_to, update_free_space
local function add_up(kind, before, after)
  local from, to = before and sums_of(kind, before) or {}, after and sums_of(kind, after) or {}
  local old = before and bytes_of(before.newSize or before.size) or 0
  local new = after and bytes_of(after.newSize or after.size) or 0
  for number = 1, math.max(#from, #to) do
    local source, target = from[number] or nil, to[number] or nil
    local moves = (source and source[1]) ~= (target and target[1])
    if moves or old ~= new then
      if source then add_to(source[1], source[2], source[3], -old) end
      if target then add_to(target[1], target[2], target[3], new) end
      local prefix = #KEYS[1] + #'backend:' + 1
      if source and source[3] then update_free_space(source[1]:sub(prefix)) end
      if moves and target and target[3] then update_free_space(target[1]:sub(prefix)) end
    end
  end
end

-- Returns whether a project may have so much more. Its own limits come before the defaults, those of '*'.
-- uses: call_if_typed, record_key, key_projectVolumes, key_projectSnapshots
local function fits_quota(asked)
  local fields = { 'maxVolumes', 'maxBytes', 'maxSnapshots', 'usedBytes' }
  local own = call_if_typed('HMGET', record_key('quota', asked.project), unpack(fields))
  local default = call_if_typed('HMGET', record_key('quota', '*'), unpack(fields))
  if not own or not default then return false end
  local function fits(number, more, used)
    local limit = own[number] or default[number]
    if not more or not limit or limit == 'unlimited' then return true end
    local bound, count = tonumber(limit), tonumber(used())
    return bound and count and count + more <= bound
  end
  return fits(1, asked.volumes, function() return call_if_typed('ZCARD', key_projectVolumes(asked.project)) end)
    and fits(2, asked.bytes, function() return own[4] or 0 end)
    and fits(3, asked.snapshots, function() return call_if_typed('ZCARD', key_projectSnapshots(asked.project)) end)
end
