local function serve(epoch, members)
  local refused = refusal(epoch)
  if refused then return refused end
  redis.call('ZREM', due, unpack(members))
  if redis.call('ZCARD', leased) > 1 then
    redis.call('ZREM', leased, unpack(members))
    redis.call('HDEL', tokens, unpack(members))
  end
  return OK
end
