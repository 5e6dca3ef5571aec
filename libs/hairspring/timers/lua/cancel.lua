-- ARGV: epoch, packed (member ...).
local refused = refusal(tonumber(ARGV[1]))
if refused then return refused end
local members = cmsgpack.unpack(ARGV[2])
redis.call('ZREM', due, unpack(members))
if redis.call('ZCARD', leased) > 1 then
  redis.call('ZREM', leased, unpack(members))
  redis.call('HDEL', tokens, unpack(members))
end
return OK
