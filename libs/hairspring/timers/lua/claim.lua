-- ARGV[2..6]: lease in ms, token, now in ms or '' for the server's clock, expired leases that one
-- shard returns, longest lease in ms. A shard answers (code, now, earliest due time or lease end
-- or -1, (member, due ...)).
local function score(ms) return string.format('%.0f', ms) end

local token, now = ARGV[3] .. ' ', tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local until_now, lease_until = score(now), score(now + tonumber(ARGV[2]))
local stray, expired_left = '(' .. score(now + tonumber(ARGV[6])), 500

-- End leases with these scores, so many that neither a shard nor a call takes long.
local function expire(first, last)
  local most = math.min(tonumber(ARGV[5]), expired_left)
  if most <= 0 then return end
  local over = redis.call('ZRANGE', leased, first, last, 'BYSCORE', 'LIMIT', 0, most)
  expired_left = expired_left - #over
  give_back(over, until_now)
end

-- Move (member, due ...) from the due to the leased.
local function lease(found)
  local ends, held = {}, {}
  for i = 1, #found, 2 do
    ends[i], ends[i + 1] = lease_until, found[i]
    held[i], held[i + 1] = found[i], token .. found[i + 1]
  end
  redis.call('ZADD', leased, unpack(ends))
  redis.call('HSET', tokens, unpack(held))
  redis.call('ZREMRANGEBYRANK', due, 0, #found / 2 - 1)
end

local function head(set) return tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]) end

-- verify: whether to check that the server is still the same.
local function serve(epoch, limit, verify)
  local refused = refusal(epoch)
  if not refused and verify and redis.call('HGET', mark, 'server') ~= server() then
    refused = LOST
  end
  if refused then return {refused, now, -1, {}} end

  local found = {}
  if limit > 0 then
    if redis.call('ZCARD', leased) > 1 then
      expire('-inf', until_now)
      expire(stray, '(+inf')
    end
    found = redis.call(
      'ZRANGE', due, '-inf', until_now, 'BYSCORE', 'LIMIT', 0, limit, 'WITHSCORES')
    if #found > 0 then lease(found) end
  end
  local first = math.min(head(due), head(leased))
  return {OK, now, first == math.huge and -1 or first, found}
end
