-- Gives a node one of the cluster's places for comparing its records with its storage after a loss of Redis.
-- ARGV: node; places; milliseconds after which a place is free again
-- Answers: ok | Wait
-- Complexity: O(log N + places that ended).
-- without memory: true
-- uses: now, call_if_typed, key_catchingUp
local node, places, length = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = now()
if not call_if_typed('ZREMRANGEBYSCORE', key_catchingUp(), '-inf', time) then redis.call('DEL', key_catchingUp()) end
-- A place that ends later than any that is given out now was not given out.
redis.call('ZREMRANGEBYSCORE', key_catchingUp(), time + length + 1000, '+inf')
local has_place = redis.call('ZSCORE', key_catchingUp(), node)
if not has_place and redis.call('ZCARD', key_catchingUp()) >= places then return { 'Wait' } end
redis.call('ZADD', key_catchingUp(), time + length, node)
return { 'ok' }
