local function serve(epoch, generation)
  local refused = refusal(epoch)
  if refused then return refused end
  local state = redis.call('HMGET', mark, 'generation', 'server')
  if state[1] ~= generation or state[2] ~= server() then return LOST end
  redis.call('HSET', mark, 'whole', '1')
  return OK
end
