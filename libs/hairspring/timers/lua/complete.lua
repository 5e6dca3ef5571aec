-- ARGV: epoch, generation.
local refused = refusal(tonumber(ARGV[1]))
if refused then return refused end
local state = redis.call('HMGET', mark, 'generation', 'server')
if state[1] ~= ARGV[2] or state[2] ~= server() then return LOST end
redis.call('HSET', mark, 'whole', '1')
return OK
