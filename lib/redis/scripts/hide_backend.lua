-- Takes a backend whose node is not up out of the set that requesters place volumes by; the node's next report puts it back.
-- ARGV: backend (node@name); node
-- Answers: ok
-- Complexity: O(log N).
-- uses: is_up, key_freeSpace
if not is_up(ARGV[2]) then redis.call('ZREM', key_freeSpace(), ARGV[1]) end
return { 'ok' }
