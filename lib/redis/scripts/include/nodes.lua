-- Functions for nodes, for scripts that name them after "uses:".

-- Returns whether a daemon still holds its node's name. A record of a wrong type holds nothing: its daemon makes it again.
-- uses: call_if_typed, key_node
local function holds(node, token)
  return call_if_typed('HGET', key_node(node), 'token') == token
end

-- uses: key_lease
local function is_up(node)
  return redis.call('EXISTS', key_lease(node)) == 1
end

-- uses: key_node
local function is_lost(node)
  return redis.call('HEXISTS', key_node(node), 'lost') == 1
end
