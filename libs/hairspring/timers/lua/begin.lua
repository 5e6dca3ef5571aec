local function serve(epoch, generation)
  local stored = tonumber(redis.call('HGET', mark, 'epoch'))
  if stored and epoch < stored then return FENCED end
  redis.call('UNLINK', mark, due, leased, tokens)
  redis.call(
    'HSET', mark, 'epoch', epoch, 'generation', generation, 'whole', '0', 'server', server())
  redis.call('ZADD', due, '+inf', SENTINEL)
  redis.call('ZADD', leased, '+inf', SENTINEL)
  return OK
end
