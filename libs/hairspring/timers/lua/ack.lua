-- flat: (member, token, member, token ...).
local function serve(flat)
  local dropped = drop_leases(flat, 2)
  if #dropped > 0 then
    redis.call('ZREM', leased, unpack(dropped))
    redis.call('HDEL', tokens, unpack(dropped))
  end
  return #dropped
end
