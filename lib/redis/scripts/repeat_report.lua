-- A node's heartbeat without news: renews its lease and returns the tasks that are overdue, as `report` does, where that was the last to
-- write its record.
-- ARGV: node; token; lease (ms); age (ms) from which a task is overdue; time of the last report as it was answered
-- Answers: ok time id… (longest first) | stale (only a whole report will do) | Fenced
-- Complexity: O(log N + overdue tasks, at most 1,000).
-- without memory: true
-- uses: now, call_if_typed, key_lease, key_node, key_tasks
local node, token, lease, age, last = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local found = call_if_typed('HMGET', key_node(node), 'token', 'reportTime', 'stopTime', 'lost')
if not found or found[1] ~= token then return { 'Fenced' } end
if found[2] ~= last or found[3] or found[4] then return { 'stale' } end
-- The first to write: without memory Redis accepts it, and then the others.
if redis.call('PEXPIRE', key_lease(node), lease) == 0 then return { 'stale' } end
local time = now()
local text = string.format('%d', time)
redis.call('HSET', key_node(node), 'reportTime', text)
local overdue = call_if_typed('ZRANGE', key_tasks(node), '-inf', time - age, 'BYSCORE', 'LIMIT', 0, 1000)
return { 'ok', text, unpack(overdue or {}) }
