-- Every script begins with this. It serves one shard after the other; each.lua sets these keys,
-- which share one hash tag.
local mark, due, leased, tokens
local OK, LOST, FENCED = 1, -1, -2

-- Both sorted sets hold an empty member that never rings, so that they are there although nothing
-- is pending: a set that is gone was lost, and only `begin` makes a new one.
local SENTINEL = ''

-- Answer nil for the owner of a set that is all there, else LOST or FENCED.
local function refusal(epoch)
  local stored = tonumber(redis.call('HGET', mark, 'epoch'))
  if not stored then return LOST end
  if epoch < stored then return FENCED end
  if epoch > stored then return LOST end
  if redis.call('EXISTS', due, leased) < 2 then return LOST end
  return nil
end

-- The identity of this server process: another one may have lost the last writes.
local identity
local function server()
  if not identity then
    local info = redis.pcall('INFO', 'server')
    identity = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
  end
  return identity
end

-- Make leased members due again at their old time, or an earlier one set meanwhile.
local function give_back(members, otherwise)
  if #members == 0 then return end
  local held, back = redis.call('HMGET', tokens, unpack(members)), {}
  for i, member in ipairs(members) do
    back[#back + 1] = held[i] and string.match(held[i], '%d+$') or otherwise
    back[#back + 1] = member
  end
  redis.call('ZADD', due, 'LT', unpack(back))
  redis.call('ZREM', leased, unpack(members))
  redis.call('HDEL', tokens, unpack(members))
end

-- Drop the leases among (member, token) pairs that are still held; answer their places.
local function drop_leases(flat, width)
  local members, dropped, places = {}, {}, {}
  for i = 1, #flat, width do members[#members + 1] = flat[i] end
  local held = redis.call('HMGET', tokens, unpack(members))
  for i, member in ipairs(members) do
    local token = flat[(i - 1) * width + 2] .. ' '
    if held[i] and string.sub(held[i], 1, #token) == token then
      dropped[#dropped + 1] = member
      places[#places + 1] = (i - 1) * width + 1
    end
  end
  return dropped, places
end
