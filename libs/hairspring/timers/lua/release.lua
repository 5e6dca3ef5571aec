-- flat: (member, token, due ...).
local function serve(flat)
  local dropped, places = drop_leases(flat, 3)
  if #dropped > 0 then
    local back = {}
    for _, place in ipairs(places) do
      back[#back + 1] = flat[place + 2]
      back[#back + 1] = flat[place]
    end
    if redis.call('EXISTS', due) == 1 then redis.call('ZADD', due, 'LT', unpack(back)) end
    redis.call('ZREM', leased, unpack(dropped))
    redis.call('HDEL', tokens, unpack(dropped))
  end
  return #dropped
end
