-- A daemon takes its node's name, unless another one holds it. The fencing token is one that no other taking ever has, also where
-- Redis went back in time: the time, and a random part. With the token that it had before, a daemon takes its name again: only where
-- Redis lost that token, not where another daemon's taking or a loss of the node came after it.
-- ARGV: node; holder; lease (ms); random part, of each daemon its own; token before, or ''
-- Answers: ok token | NodeNameTaken holder, milliseconds that are left of the lease, and since its holder was last seen | Fenced
-- Complexity: O(log N).
-- without memory: true
-- uses: now, load_own, call_if_typed, reindex, key_lease, key_node
local node, holder, lease, random, token_before = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local function time_of(token) return tonumber(token:match('^%d+')) or 0 end

local time = now()
local before = load_own(key_node(node))
local last = before.token
local held_by = call_if_typed('GET', key_lease(node))
if held_by and held_by ~= holder then
  local last_seen = math.max(tonumber(before.reportTime) or 0, last and time_of(last) or 0)
  local left, quiet = redis.call('PTTL', key_lease(node)), math.max(0, time - last_seen)
  if left < 0 then left = tonumber(lease) - quiet end -- a lease without a time to live ends as one of this length
  if left >= 0 then return { 'NodeNameTaken', held_by, string.format('%d', left), string.format('%d', quiet) } end
end
local is_own = last and last:match('-(.*)$') == random
if token_before ~= '' and last and not is_own and time_of(last) >= time_of(token_before) then return { 'Fenced' } end
local token = string.format('%d-%s', time, random)
local created = before.createTime
if not (created and created:match('^%d+$')) then created = string.format('%d', time) end
redis.call('HSET', key_node(node), 'token', token, 'createTime', created)
redis.call('HDEL', key_node(node), 'stopTime', 'lost')
redis.call('SET', key_lease(node), holder, 'PX', lease)
reindex('node', node, nil, { createTime = created }, time)
return { 'ok', token }
