-- ARGV: epoch, 'LT' to keep earlier due times or '', packed (due, member, due, member ...).
local refused = refusal(tonumber(ARGV[1]))
if refused then return refused end
local flat = cmsgpack.unpack(ARGV[3])
if ARGV[2] == 'LT' then
  redis.call('ZADD', due, 'LT', unpack(flat))
else
  redis.call('ZADD', due, unpack(flat))
end
return OK
