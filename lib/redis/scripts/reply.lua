-- A node has done what was asked of it, not of a volume: the command leaves its topic, whoever waits is told.
-- ARGV: JSON {message, answer}; JSON text of the result, or ''; JSON text of the fault, or ''
-- Answers: ok
local reply = cjson.decode(ARGV[1])
drop(reply.message)
if reply.answer then
  local result = ARGV[2] ~= '' and ',"result":' .. ARGV[2] or ''
  local fault = ARGV[3] ~= '' and ',"fault":' .. ARGV[3] or ''
  redis.call('PUBLISH', key_answers(reply.answer.caller),
    '{"request":' .. cjson.encode(reply.answer.request) .. result .. fault .. '}')
end
return { 'ok' }
