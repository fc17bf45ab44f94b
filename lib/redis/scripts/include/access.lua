-- Functions for what Redis refuses, for scripts that name them after "uses:".

-- Returns the error with which Redis refuses a command that changes nothing here: an ACL, a renamed command, no memory. Nil where it
-- permits it. What it answers to the arguments does not matter.
local function refusal_of(...)
  local reply = redis.pcall(...)
  local text = type(reply) == 'table' and reply.err
  if not text or text:sub(1, 9) == 'WRONGTYPE' then return nil end
  local is_about_arguments = text:sub(1, 4) == 'ERR ' and not text:find('^ERR [Uu]nknown') and not text:find('^ERR The user ')
  if is_about_arguments then return nil end
  return reply
end

-- Returns the answer of a command, or nil where its key has another type: a hand has changed it.
local function call_if_typed(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if reply.err:sub(1, 9) == 'WRONGTYPE' then return nil end
  return redis.call(...) -- fails as it did
end
