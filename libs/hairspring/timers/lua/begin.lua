-- ARGV: epoch, generation.
local stored = tonumber(redis.call('HGET', mark, 'epoch'))
if stored and tonumber(ARGV[1]) < stored then return FENCED end
redis.call('UNLINK', mark, due, leased, tokens)
redis.call('HSET', mark, 'epoch', ARGV[1], 'generation', ARGV[2], 'whole', '0', 'server', server())
redis.call('ZADD', due, '+inf', SENTINEL)
redis.call('ZADD', leased, '+inf', SENTINEL)
return OK
