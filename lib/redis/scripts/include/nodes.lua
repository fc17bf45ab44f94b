-- Functions for nodes, for scripts that name them after "uses:".

-- Returns whether a daemon still holds its node's name. A record of a wrong type holds nothing: its daemon makes it again.
-- uses: call_if_typed, key_node
local function holds(node, token)
  return call_if_typed('HGET', key_node(node), 'token') == token
end

-- Returns whether the lease of a node is valid. One without a time to live, as a copy of Redis can have it, would be so for ever.
-- uses: key_lease
local function is_up(node)
  return redis.call('PTTL', key_lease(node)) >= 0
end

-- Returns whether a node is down, and not just while it is restarted: one that stopped in order has a minute for that.
-- uses: is_up, now, call_if_typed, key_node
local function is_gone(node)
  if is_up(node) then return false end
  local found = call_if_typed('HMGET', key_node(node), 'stopTime', 'lost') or {}
  local stopped = tonumber(found[1] or 0)
  return found[2] and true or not stopped or stopped + 60000 <= now()
end

-- uses: key_node
local function is_lost(node)
  return redis.call('HEXISTS', key_node(node), 'lost') == 1
end

-- uses: call_if_typed, key_backend
local function is_shared(backend)
  return call_if_typed('HEXISTS', key_backend(backend), 'shared') == 1
end
