-- step: how many leases go back at a time. A set that is not whole keeps its old epoch, so stays
-- lost.
local function serve(epoch, step)
  local stored = tonumber(redis.call('HGET', mark, 'epoch'))
  if not stored then return LOST end
  if epoch < stored then return FENCED end
  local state = redis.call('HMGET', mark, 'whole', 'server')
  if refusal(stored) or state[1] ~= '1' or state[2] ~= server() then return LOST end
  redis.call('HSET', mark, 'epoch', epoch)
  while redis.call('ZCARD', leased) > 1 do
    give_back(redis.call('ZRANGE', leased, '-inf', '(+inf', 'BYSCORE', 'LIMIT', 0, step), '0')
  end
  return OK
end
