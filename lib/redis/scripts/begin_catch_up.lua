-- Gives a node one of the cluster's places for comparing its records with its storage after a loss of Redis.
-- ARGV: node; places; milliseconds after which a place is free again
-- Answers: ok | Wait
-- Complexity: O(log N + places that ended).
-- uses: now, key_catchingUp
local node, places, length = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local time = now()
redis.call('ZREMRANGEBYSCORE', key_catchingUp(), '-inf', time)
local has_place = redis.call('ZSCORE', key_catchingUp(), node)
if not has_place and redis.call('ZCARD', key_catchingUp()) >= places then return { 'Wait' } end
redis.call('ZADD', key_catchingUp(), time + length, node)
return { 'ok' }
