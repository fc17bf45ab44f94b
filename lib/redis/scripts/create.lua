-- Makes a volume's record in status creating, and its command, in one write. A second call with the same id changes nothing.
-- ARGV: id; JSON {fields, node ('' = any), topic, nodeTopic, message}
-- Answers: ok record | VolumeExists (status) | NoNodeUp | NodeNotFound | NodeDown
local id = ARGV[1]
local request = cjson.decode(ARGV[2])
local record_key = key_volume(id)

local existing = redis.call('HGET', record_key, 'status')
if existing then return { 'VolumeExists', existing } end

if request.node ~= '' then
  if not redis.call('ZSCORE', key_nodes(), request.node) then return { 'NodeNotFound', request.node } end
  if not is_up(request.node) then return { 'NodeDown', request.node } end
else
  local up = false
  for _, node in ipairs(redis.call('ZRANGE', key_nodes(), 0, -1)) do
    if is_up(node) then up = true break end
  end
  if not up then return { 'NoNodeUp' } end
end

local time = now()
local record = request.fields
record.status = 'creating'
record.attachStatus = 'detached'
record.createTime = string.format('%d', time)
local flat = {}
for field, value in pairs(record) do
  flat[#flat + 1] = field
  flat[#flat + 1] = value
end
redis.call('HSET', record_key, unpack(flat))
index_volume(id, record)
if request.node ~= '' then place(id, record, request.node, time) end
if request.topic then send(request.topic, request.message) end
return ok(record)
