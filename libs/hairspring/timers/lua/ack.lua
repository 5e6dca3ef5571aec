-- ARGV: packed (member, token, member, token ...).
local dropped = drop_leases(cmsgpack.unpack(ARGV[1]), 2)
if #dropped > 0 then
  redis.call('ZREM', leased, unpack(dropped))
  redis.call('HDEL', tokens, unpack(dropped))
end
return #dropped
