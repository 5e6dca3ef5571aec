-- ARGV[2]: 'LT' to keep earlier due times, or ''. flat: (due, member, due, member ...).
local function serve(epoch, flat)
  local refused = refusal(epoch)
  if refused then return refused end
  if ARGV[2] == 'LT' then
    redis.call('ZADD', due, 'LT', unpack(flat))
  else
    redis.call('ZADD', due, unpack(flat))
  end
  return OK
end
